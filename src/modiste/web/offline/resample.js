// Resampling with Pillow's algorithm (libImaging/Resample.c): two passes with antialiasing, in Pillow's order.
// uint8 images are computed in fixed point, float32 images of one channel in double precision.
import { createLike } from "./image.js";

const PRECISION_BITS = 22; // of the weights of uint8 images
const HALF = 1 << (PRECISION_BITS - 1);

// Half the width of each filter, and its weights.
const FILTERS = {
  box: [0.5, (x) => (x > -0.5 && x <= 0.5 ? 1 : 0)],
  bilinear: [1, (x) => Math.max(0, 1 - Math.abs(x))],
  bicubic: [2, (x) => cubic(Math.abs(x))],
};

const SHARPNESS = -0.5; // the parameter `a` of Keys 1981

function cubic(x) {
  if (x < 1) return ((SHARPNESS + 2) * x - (SHARPNESS + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * SHARPNESS : 0;
}

// Resizes an image, or a box of it, [left, top, right, bottom] in pixels that may be fractions.
export function resize(image, width, height, filter, box = [0, 0, image.width, image.height]) {
  if (filter === "nearest") return resizeNearest(image, width, height);
  const isFloat = image.data instanceof Float32Array;
  const [columns, rows] = [
    computeWeights(image.width, box[0], box[2], width, FILTERS[filter], isFloat),
    computeWeights(image.height, box[1], box[3], height, FILTERS[filter], isFloat),
  ];
  const isRowsFirst = image.height > height && image.height - height > 2 * (image.width - width);
  if (isRowsFirst) return resizeRows(resizeColumns(image, rows), columns);
  if (!columns || !rows) return resizeColumns(resizeRows(image, columns), rows);
  const [first, end] = [rows.starts[0], rows.starts.at(-1) + rows.counts.at(-1)]; // other rows are not needed
  const used = { ...image, height: end - first, data: image.data.subarray(first * image.width * image.channels, end * image.width * image.channels) };
  return resizeColumns(resizeRows(used, columns), { ...rows, starts: rows.starts.map((start) => start - first) });
}

// Image.resize with Image.Resampling.NEAREST.
function resizeNearest(image, newWidth, newHeight) {
  const { width, height, channels, data } = image;
  const result = createLike(image, newWidth, newHeight);
  const [columns, rows] = [nearestPositions(width, newWidth), nearestPositions(height, newHeight)];
  let i = 0;
  for (const y of rows)
    for (const x of columns)
      for (let channel = 0; channel < channels; channel++) result.data[i++] = data[(y * width + x) * channels + channel];
  return result;
}

// Adds up the step as Pillow does, so that rounding errors are the same.
function nearestPositions(size, newSize) {
  const positions = new Int32Array(newSize);
  const step = size / newSize;
  let position = step * 0.5;
  for (let i = 0; i < newSize; i++, position += step) positions[i] = Math.min(Math.trunc(position), size - 1);
  return positions;
}

// The weights of the input pixels of each output pixel on one axis, from starts[i] on, counts[i] of them; null where
// nothing is to be done.
function computeWeights(size, from, to, newSize, [halfWidth, weight], isFloat) {
  if (from === 0 && to === size && newSize === size) return null;
  const scale = (to - from) / newSize;
  const filterScale = Math.max(scale, 1);
  const support = halfWidth * filterScale;
  const length = Math.ceil(support) * 2 + 1;
  const [starts, counts, weights] = [new Int32Array(newSize), new Int32Array(newSize), new Float64Array(newSize * length)];
  for (let i = 0; i < newSize; i++) {
    const center = from + (i + 0.5) * scale;
    starts[i] = Math.max(Math.trunc(center - support + 0.5), 0);
    counts[i] = Math.min(Math.trunc(center + support + 0.5), size) - starts[i];
    let sum = 0;
    for (let j = 0; j < counts[i]; j++) sum += weights[i * length + j] = weight((j + starts[i] - center + 0.5) * (1 / filterScale));
    for (let j = 0; sum && j < counts[i]; j++) weights[i * length + j] /= sum;
  }
  return { size: newSize, starts, counts, length, weights: isFloat ? weights : toFixedPoint(weights) };
}

const toFixedPoint = (weights) => Int32Array.from(weights, (value) => Math.trunc(value * 2 ** PRECISION_BITS + (value < 0 ? -0.5 : 0.5)));

const clip = (sum) => Math.min(255, Math.max(0, sum >> PRECISION_BITS));

// Changes the width.
function resizeRows(image, columns) {
  if (!columns) return image;
  const { width, height, channels, data } = image;
  const result = createLike(image, columns.size, height);
  const resizeRow = data instanceof Float32Array ? resizeFloatRow : channels === 1 ? resizeGrayRow : resizeRgbRow;
  for (let y = 0; y < height; y++) resizeRow(data, y * width * channels, result.data, y * columns.size * channels, columns);
  return result;
}

function resizeRgbRow(data, start, target, position, { size, starts, counts, length, weights }) {
  for (let x = 0; x < size; x++) {
    let red = HALF;
    let green = HALF;
    let blue = HALF;
    let i = start + 3 * starts[x];
    const end = x * length + counts[x];
    for (let j = x * length; j < end; j++, i += 3) {
      const factor = weights[j];
      red = (red + Math.imul(data[i], factor)) | 0;
      green = (green + Math.imul(data[i + 1], factor)) | 0;
      blue = (blue + Math.imul(data[i + 2], factor)) | 0;
    }
    target[position++] = clip(red);
    target[position++] = clip(green);
    target[position++] = clip(blue);
  }
}

function resizeGrayRow(data, start, target, position, { size, starts, counts, length, weights }) {
  for (let x = 0; x < size; x++) {
    let sum = HALF;
    for (let j = 0; j < counts[x]; j++) sum = (sum + Math.imul(data[start + starts[x] + j], weights[x * length + j])) | 0;
    target[position++] = clip(sum);
  }
}

function resizeFloatRow(data, start, target, position, { size, starts, counts, length, weights }) {
  for (let x = 0; x < size; x++) {
    let sum = 0;
    for (let j = 0; j < counts[x]; j++) sum += data[start + starts[x] + j] * weights[x * length + j];
    target[position++] = sum;
  }
}

// Changes the height.
function resizeColumns(image, rows) {
  if (!rows) return image;
  const { width, channels, data } = image;
  const lineLength = width * channels;
  const result = createLike(image, width, rows.size);
  const isFloat = data instanceof Float32Array;
  const sums = isFloat ? new Float64Array(lineLength) : new Int32Array(lineLength);
  const [addLine, saveLine] = isFloat ? [addFloatLine, (sum) => sum] : [addByteLine, clip];
  for (let y = 0; y < rows.size; y++) {
    sums.fill(isFloat ? 0 : HALF);
    for (let j = 0; j < rows.counts[y]; j++) addLine(sums, data, (rows.starts[y] + j) * lineLength, rows.weights[y * rows.length + j]);
    for (let i = 0; i < lineLength; i++) result.data[y * lineLength + i] = saveLine(sums[i]);
  }
  return result;
}

function addByteLine(sums, data, start, factor) {
  for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] + Math.imul(data[start + i], factor)) | 0;
}

function addFloatLine(sums, data, start, factor) {
  for (let i = 0; i < sums.length; i++) sums[i] += data[start + i] * factor;
}
