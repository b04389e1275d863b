// Images unlike those that a model was trained on: modiste.inference.outliers in JavaScript.
import { mean, median, rootMeanSquare, standardDeviation } from "./statistics.js";

const BORDER = 4; // rows of the upper and the lower edge, and pixels of a side of the squares

// Whether a gray image is too far from the images of every class; `detector` is that of about.json, or null.
export function isOutlier(image, detector) {
  if (!detector) return false;
  const statistics = imageStatistics(image);
  const count = statistics.length;
  const [means, transforms] = [decodeFloats(detector.means), decodeFloats(detector.transforms)];
  const classes = Array.from({ length: means.length / count }, (_, k) => k);
  const distances = classes.map((k) => squaredDistance(statistics, means.subarray(k * count), transforms.subarray(k * count * count)));
  return Math.min(...distances) > detector.threshold;
}

// The squared length of the transform of what differs from the mean of a class.
function squaredDistance(statistics, mean, transform) {
  const differences = statistics.map((value, i) => value - mean[i]);
  const columns = statistics.map((_, column) => differences.reduce((sum, value, row) => sum + value * transform[row * statistics.length + column], 0));
  return columns.reduce((sum, value) => sum + value ** 2, 0);
}

// Statistics of levels, of differences between neighbors, of symmetry, of the edges of the image, and of squares.
export function imageStatistics({ width: side, data }) {
  const levels = Float64Array.from(data, (value) => value / 255);
  const at = (y, x) => levels[y * side + x];
  const across = grid(side, side - 1, (y, x) => Math.abs(at(y, x + 1) - at(y, x)));
  const down = grid(side - 1, side, (y, x) => Math.abs(at(y + 1, x) - at(y, x)));
  const edges = grid(side - 2, side - 2, (y, x) => Math.abs(4 * at(y + 1, x + 1) - at(y, x + 1) - at(y + 2, x + 1) - at(y + 1, x) - at(y + 1, x + 2)));
  const count = Math.floor(side / BORDER);
  const squares = Array.from({ length: count ** 2 }, (_, i) => grid(BORDER, BORDER, (y, x) => at(BORDER * Math.floor(i / count) + y, BORDER * (i % count) + x)));
  return [
    mean(levels), standardDeviation(levels), median(levels), Math.max(...levels),
    share(levels, (level) => level === 0), share(levels, (level) => level > 0.1), share(levels, (level) => level > 0.9),
    mean(across), mean(down), rootMeanSquare(across), rootMeanSquare(down), share(across, (difference) => difference === 0),
    mean(edges), Math.max(...edges),
    mean(grid(side, side, (y, x) => Math.abs(at(y, x) - at(y, side - 1 - x)))),
    mean(grid(2, side, (y, x) => at(y * (side - 1), x))), mean(grid(side, 2, (y, x) => at(y, x * (side - 1)))),
    mean(levels.subarray(0, BORDER * side)), mean(levels.subarray((side - BORDER) * side)),
    mean(squares.map(standardDeviation)), standardDeviation(squares.map(mean)),
  ];
}

const grid = (height, width, value) => Float64Array.from({ length: height * width }, (_, i) => value(Math.floor(i / width), i % width));
const share = (values, test) => values.reduce((count, value) => count + test(value), 0) / values.length;

// Little-endian float32 values in base64.
const decodeFloats = (text) => new Float32Array(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).buffer);
