"""Simulate the statistics of `modiste compare`: how often intervals cover the true value, and tests are false alarms.

    python benchmarks/interval_coverage.py

It writes results/coverage.json, with a record for each method and case: how often the 95 % interval covers the true
value, or how often the test of no difference has p below 5 %, and the bounds of this rate. Cases without bounds, such
as those of fewer than 30 groups, are marked as approximate wherever they are shown.
"""

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import timing
from numpy.typing import NDArray

from modiste.metrics import hypothesis_tests, intervals, significance
from modiste.metrics.intervals import MIN_GROUPS, Interval
from modiste.metrics.power import ALPHA
from modiste.runs import environment, results

DRAWS = 20_000
CHUNK = 500
"""Draws at once, for the memory that a bootstrap takes."""

SHIFT = 0.1
"""The true difference; of the false alarms it is 0."""

MIN_COVERAGE, T_TOLERANCE, MAX_FALSE_ALARMS = 0.93, 0.005, 0.055

ALARMS: Interval = (0.0, MAX_FALSE_ALARMS)

Floats = NDArray[np.float64]
Random = np.random.Generator


class Case(NamedTuple):
    """A simulation of some draws, with the values that it is made with and the bounds of its rate, if there are any."""

    name: str
    values: dict[str, Any]
    simulate: Callable[[int, Random], float]
    bounds: Interval | None


def paired_t(draws: int, random: Random, n: int) -> float:
    """Return how often the t interval of n paired differences with normal errors covers."""
    low, high, _ = hypothesis_tests.t_test(random.normal(SHIFT, 1, (draws, n)))
    return covers(low, high, SHIFT)


def welch(draws: int, random: Random, n: int, n_other: int, sd: float) -> float:
    """Return how often Welch's test of two equal means is a false alarm; the second has the standard deviation."""
    _, _, p_values = hypothesis_tests.t_test(random.normal(0, 1, (draws, n)), random.normal(0, sd, (draws, n_other)))
    return float(np.mean(p_values < ALPHA))


def paired_t_alarms(draws: int, random: Random, n: int) -> float:
    """Return how often the paired t-test of no difference is a false alarm."""
    return float(np.mean(hypothesis_tests.t_test(random.normal(0, 1, (draws, n)))[2] < ALPHA))


def sign_flip_alarms(draws: int, random: Random, n: int) -> float:
    """Return how often the sign-flip test of no difference is a false alarm; errors have heavy tails."""
    differences = random.standard_t(3, (draws, n))
    return float(np.mean([hypothesis_tests.sign_flip_test(each) < ALPHA for each in differences]))


def holm_alarms(draws: int, random: Random, n: int, methods: int) -> float:
    """Return how often one of all pairs of equal methods is significant after Holm's correction."""
    values = random.normal(0, 1, (draws, methods, n))
    pairs = [(i, j) for i in range(methods) for j in range(i)]
    p_values = np.stack([hypothesis_tests.t_test(values[:, i] - values[:, j])[2] for i, j in pairs], 1)
    return float(np.mean(p_values.min(1) < ALPHA / len(pairs)))  # Holm's first step, which decides whether there is any


def bca(draws: int, random: Random, n: int) -> float:
    """Return how often the BCa interval of n paired differences with normal errors covers."""
    chunks = [hypothesis_tests.bca_bounds(random.normal(SHIFT, 1, (size, n))) for size in chunk_sizes(draws)]
    low, high = np.hstack(chunks)
    return covers(low, high, SHIFT)


def image_bootstrap(draws: int, random: Random, images: int, only_first: float, only_second: float) -> float:
    """Return how often the bootstrap over images covers the difference of two methods' accuracies."""
    differences = random_differences(draws, random, images, only_first, only_second)
    low, high = np.array([hypothesis_tests.image_bootstrap(each) for each in differences]).T
    return covers(low, high, only_first - only_second)


def mcnemar_alarms(draws: int, random: Random, images: int, only_one: float) -> float:
    """Return how often McNemar's test of two equally accurate methods is a false alarm."""
    differences = random_differences(draws, random, images, only_one, only_one)
    p_values = [hypothesis_tests.mcnemar_test(each > 0, each < 0) for each in differences]
    return float(np.mean(np.array(p_values) < ALPHA))


def random_differences(
    draws: int, random: Random, images: int, only_first: float, only_second: float
) -> Iterator[Floats]:
    """Yield differences in correctness, [images], of which the first or the second method alone has these shares."""
    for _ in range(draws):
        counts = random.multinomial(images, (only_first, only_second, 1 - only_first - only_second))
        yield np.repeat([1.0, -1.0, 0.0], counts)


def wilson(draws: int, random: Random, images: int, accuracy: float) -> float:
    """Return how often Wilson's interval covers the accuracy."""
    counts, index = np.unique(random.binomial(images, accuracy, draws), return_inverse=True)
    bounds = np.array([intervals.wilson_interval(int(count), images) for count in counts])[index]
    return covers(bounds[:, 0], bounds[:, 1], accuracy)


def cluster_share(draws: int, random: Random, groups: int, sizes: str, accuracy: float, correlation: float) -> float:
    """Return how often the interval over groups of images covers the accuracy."""
    counts = random_sizes(draws, random, groups, sizes)
    hits = random.binomial(counts, random_shares(random, counts.shape, accuracy, correlation))
    low, high = np.zeros(draws), np.ones(draws)
    is_mixed = hits.any(1) & (hits < counts).any(1)
    low[is_mixed], high[is_mixed] = intervals.share_bounds(hits[is_mixed].astype(float), counts[is_mixed].astype(float))
    low[~is_mixed], high[~is_mixed] = intervals.wilson_interval(groups, groups)  # all correct; none never is
    return covers(low, high, accuracy)


def cluster_difference(
    draws: int, random: Random, groups: int, sizes: str, difference: float, correlation: float
) -> float:
    """Return how often the interval over groups covers the difference of two methods on the same images."""
    counts = random_sizes(draws, random, groups, sizes)
    only_first, only_second = (
        random.binomial(counts, random_shares(random, counts.shape, share, correlation))
        for share in (0.05, 0.05 - difference)
    )
    low, high = intervals.mean_bounds((only_first - only_second).astype(float), counts.astype(float))
    return covers(low, high, difference)


def random_sizes(draws: int, random: Random, groups: int, kind: str) -> NDArray[np.int64]:
    """Return the sizes of the groups, [draws, groups]: all 10, log-normal, or of a Pareto law with a few huge ones."""
    shape = draws, groups
    match kind:
        case "equal":
            sizes = np.full(shape, 10.0)
        case "unequal":
            sizes = np.round(random.lognormal(1.8, 1, shape))
        case _:
            sizes = np.round(4 * random.pareto(1.2, shape) + 1)
    return np.asarray(np.clip(sizes, 1, 200), np.int64)


def random_shares(random: Random, shape: tuple[int, ...], mean: float, correlation: float) -> Floats:
    """Return the share of each group, beta-distributed, so that images of a group have this correlation."""
    total = (1 - correlation) / correlation
    return random.beta(mean * total, (1 - mean) * total, shape)


def covers(low: Floats, high: Floats, truth: float) -> float:
    """Return the share of intervals that contain the truth."""
    return float(np.mean((low <= truth) & (truth <= high)))


def chunk_sizes(draws: int) -> list[int]:
    """Return the sizes of the chunks that the draws are made in."""
    return [min(CHUNK, draws - start) for start in range(0, draws, CHUNK)]


def list_cases() -> Iterator[Case]:
    """Yield each case."""
    yield from cases_over_seeds()
    yield from cases_over_images()
    for groups, sizes, correlation in product(
        (5, 10, 20, 30, 60, 200), ("equal", "unequal", "very unequal"), (0.1, 0.3)
    ):
        shared = {"groups": groups, "sizes": sizes, "correlation": correlation}
        for accuracy in (0.8, 0.95):
            yield case("accuracy over groups", cluster_share, at_least(groups), accuracy=accuracy, **shared)
        for difference in (0.0, 0.03):
            yield case("difference over groups", cluster_difference, at_least(groups), difference=difference, **shared)


def cases_over_seeds() -> Iterator[Case]:
    """Yield the cases of intervals and tests over seeds."""
    exact = 0.95 - T_TOLERANCE, 0.95 + T_TOLERANCE
    for n in (2, 3, 6, 10, 20):
        yield case("t interval", paired_t, exact, n=n)
        yield case("false alarms of the paired t-test", paired_t_alarms, ALARMS, n=n)
        yield case("false alarms of the sign-flip test", sign_flip_alarms, ALARMS, n=n)
    for (n, n_other), sd in product(((3, 3), (6, 3), (6, 6), (20, 5), (20, 8)), (1.0, 2.0)):
        bounds = None if significance.is_welch_approximate(n, n_other) else ALARMS
        yield case("false alarms of Welch's t-test", welch, bounds, n=n, n_other=n_other, sd=sd)
    for n in (3, 6):
        yield case("false alarms after Holm's correction", holm_alarms, ALARMS, n=n, methods=4)
    for n in (10, 20, 30, 50):
        yield case("BCa interval", bca, at_least(n), n=n)


def cases_over_images() -> Iterator[Case]:
    """Yield the cases of intervals and tests over independent images."""
    for images, only_first, only_second in ((1000, 0.03, 0.02), (10_000, 0.005, 0.003), (10_000, 0.03, 0.03)):
        shares = {"only_first": only_first, "only_second": only_second}
        yield case("bootstrap over images", image_bootstrap, (MIN_COVERAGE, 1.0), images=images, **shares)
    for images, only_one in ((1000, 0.02), (10_000, 0.003), (10_000, 0.03)):
        yield case("false alarms of McNemar's test", mcnemar_alarms, ALARMS, images=images, only_one=only_one)
    for images in (1000, 10_000):
        yield case("Wilson's interval", wilson, (MIN_COVERAGE, 1.0), images=images, accuracy=0.94)


def case(name: str, function: Callable[..., float], bounds: Interval | None, **values: Any) -> Case:
    """Return a case with the values of the function's arguments."""
    return Case(name, values, partial(function, **values), bounds)


def at_least(n: int) -> Interval | None:
    """Return the bounds of the coverage with n groups or seeds; None for those that are marked as approximate."""
    return (MIN_COVERAGE, 1.0) if n >= MIN_GROUPS else None


def simulate(draws: int) -> list[dict[str, Any]]:
    """Simulate each case, with random numbers of its own, and return a record for each."""
    records: list[dict[str, Any]] = []
    for place, (name, values, simulation, bounds) in enumerate(list_cases()):
        rate = simulation(draws, np.random.default_rng([0, place]))
        within = None if bounds is None else bounds[0] <= rate <= bounds[1]
        records.append({"name": name, **values, "rate": rate, "bounds": bounds, "within_bounds": within})
        print(f"{name}, {values}: {rate:.4f}" + (" *short*" if within is False else ""), flush=True)
    return records


def main() -> None:
    """Simulate and write the results file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--out", type=Path, default=Path("results/coverage.json"))
    args = parser.parse_args()
    command, described = timing.current_command(), environment.describe()
    records = [record | {"commit": described["commit"]} for record in simulate(args.draws)]
    missed = [record["name"] for record in records if record["within_bounds"] is False]
    results.write(args.out, recipe="coverage", command=command, runs=records, draws=args.draws, missed=missed)
    print(args.out)


if __name__ == "__main__":
    main()
