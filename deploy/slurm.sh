#!/usr/bin/env bash
# A bench on a Ray cluster of Slurm's nodes: sbatch deploy/slurm.sh bench sprint --seeds 100
# modiste[cluster] must be on the PATH of all nodes, and the current folder on a file system that they share.
#SBATCH --job-name=modiste
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=08:00:00
#SBATCH --signal=B:TERM@120
set -euo pipefail

nodes=($(scontrol show hostnames "$SLURM_JOB_NODELIST"))
head=${nodes[0]}
port=$((20000 + SLURM_JOB_ID % 20000)) # several jobs may share a node
address=$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address | awk '{print $1}'):$port

start() { srun --nodes=1 --ntasks=1 --nodelist="$1" ray start --block --num-cpus="$SLURM_CPUS_PER_TASK" "${@:2}" & }
start "$head" --head --node-ip-address="${address%:*}" --port="$port" --include-dashboard=false
until ray status --address="$address" > /dev/null 2>&1; do sleep 1; done
for node in "${nodes[@]:1}"; do start "$node" --address="$address"; done

# Slurm sends TERM two minutes before the end of its time; submit the script again to resume.
modiste "$@" --cluster "$address" &
command=$!
trap 'kill -TERM "$command"' TERM
code=0
wait "$command" || code=$?
if kill -0 "$command" 2> /dev/null; then wait "$command" || code=$?; fi # after the trap
ray stop --force > /dev/null 2>&1 || true
exit "$code"
