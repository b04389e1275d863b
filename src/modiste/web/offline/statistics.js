// Statistics of arrays of numbers, in double precision.

// The mean of the two middle values, or the middle one.
export function median(values) {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
export const rootMeanSquare = (values) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);

export function standardDeviation(values) {
  const center = mean(values);
  return rootMeanSquare(Float64Array.from(values, (value) => value - center));
}
