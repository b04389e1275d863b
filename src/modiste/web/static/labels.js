// The label of a model that abstains, and classes that it does not tell apart: Calibration.close_labels in JavaScript.
export const NONE_OF_THESE = "none of these";
const GROUP_COVERAGE = 0.9; // share of the group's probability that the close classes have together at least

// Returns the entries of `top` that belong to the most probable class's group and are too close to it to leave out,
// best first; none where that class is clear, is in no group, or where the model abstains.
export function closeLabels({ label, top }, groups) {
  const group = groups.find((each) => each.includes(top[0].label)) ?? [];
  if (label !== top[0].label) return [];
  const members = top.filter((each) => group.includes(each.label));
  const total = sumProbabilities(members);
  let covered = 0;
  const close = members.filter(({ probability }) => {
    const isNeeded = covered < GROUP_COVERAGE * total;
    covered += probability;
    return isNeeded;
  });
  return close.length > 1 ? close : [];
}

export const sumProbabilities = (entries) => entries.reduce((sum, { probability }) => sum + probability, 0);
