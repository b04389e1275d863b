// Operations on images, each equal to Pillow's, to the last gray level.
// An image is { width, height, channels, data }: data has height * width * channels values, channels innermost.

export const createImage = (width, height, channels, data = new Uint8Array(width * height * channels)) => ({ width, height, channels, data });

// An image of zeros with the channels and the type of another.
export const createLike = ({ channels, data }, width, height) => createImage(width, height, channels, new data.constructor(width * height * channels));

// Rounds halves to even, as Python's round() does.
export function roundHalfEven(value) {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}

// Pillow's convert("L"): ITU-R 601-2 luma, in fixed point.
export function toGray({ width, height, channels, data }) {
  if (channels === 1) return createImage(width, height, 1, data);
  const gray = createImage(width, height, 1);
  for (let i = 0, j = 0; i < gray.data.length; i++, j += 3)
    gray.data[i] = (data[j] * 19595 + data[j + 1] * 38470 + data[j + 2] * 7471 + 0x8000) >> 16;
  return gray;
}

// Crops to a box [left, top, right, bottom]; what lies outside of the image is 0.
export function crop(image, [left, top, right, bottom]) {
  const { width, height, channels, data } = image;
  const result = createLike(image, right - left, bottom - top);
  const [x0, x1] = [Math.max(left, 0), Math.min(right, width)];
  for (let y = Math.max(top, 0); y < Math.min(bottom, height); y++) {
    const row = data.subarray((y * width + x0) * channels, (y * width + x1) * channels);
    result.data.set(row, ((y - top) * result.width + x0 - left) * channels);
  }
  return result;
}

// Places an image on a background of one color at an offset.
export function paste(image, width, height, color, left, top) {
  const result = createImage(width, height, image.channels);
  for (let i = 0; i < result.data.length; i++) result.data[i] = color[i % image.channels];
  const rowLength = image.width * image.channels;
  for (let y = 0; y < image.height; y++)
    result.data.set(image.data.subarray(y * rowLength, (y + 1) * rowLength), ((y + top) * width + left) * image.channels);
  return result;
}

// The box [left, top, right, bottom] of the pixels in which a channel passes a test; null if there are none.
export function boundingBox({ width, height, channels, data }, isContent) {
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let channel = 0; channel < channels; channel++, i++)
        if (isContent(data[i], channel)) {
          left = Math.min(left, x);
          right = Math.max(right, x + 1);
          top = Math.min(top, y);
          bottom = y + 1;
        }
  return right ? [left, top, right, bottom] : null;
}

// Image.reduce: the mean of each square of `factor` pixels a side; those at the right and bottom may be smaller.
export function reduce(image, factor) {
  if (factor === 1) return image;
  const { width, height, channels, data } = image;
  const result = createImage(Math.ceil(width / factor), Math.ceil(height / factor), channels);
  for (let y = 0, i = 0; y < result.height; y++)
    for (let x = 0; x < result.width; x++) {
      const [right, bottom] = [Math.min((x + 1) * factor, width), Math.min((y + 1) * factor, height)];
      const area = (right - x * factor) * (bottom - y * factor);
      const multiplier = Math.floor(Math.fround(2 ** 32 / Math.fround(256 * area)));
      for (let channel = 0; channel < channels; channel++, i++) {
        let sum = area >> 1;
        for (let row = y * factor; row < bottom; row++)
          for (let column = x * factor; column < right; column++) sum += data[(row * width + column) * channels + channel];
        result.data[i] = Math.floor((sum * multiplier) / 2 ** 24);
      }
    }
  return result;
}

// ImageFilter.UnsharpMask(radius=1, percent=100, threshold=0): each value plus its difference from the blurred one.
export function sharpen(image) {
  const blurred = blur(image);
  const data = new Uint8ClampedArray(image.data.length);
  for (let i = 0; i < data.length; i++) data[i] = 2 * image.data[i] - blurred[i];
  return createImage(image.width, image.height, image.channels, new Uint8Array(data.buffer));
}

// Three box blurs of radius 0.25 in each direction, which approximate a Gaussian of radius 1 (Gwosdek et al. 2011).
function blur({ width, height, channels, data }) {
  let result = data;
  for (const [step, length] of [[channels, width], [width * channels, height]])
    for (let pass = 0; pass < 3; pass++) result = boxBlur(result, step, length);
  return result;
}

// Weights of a pixel and of its two neighbors, in units of 2 ** -24: 1 / 1.5 in single precision, and half of the rest.
const CENTER_WEIGHT = Math.fround(2 ** 24 / 1.5);
const NEIGHBOR_WEIGHT = Math.floor((2 ** 24 - CENTER_WEIGHT) / 2);

// Blurs along one axis: neighbors are `step` values apart, and `length` of them make a line.
function boxBlur(data, step, length) {
  const result = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const position = Math.floor(i / step) % length;
    const before = data[position ? i - step : i];
    const after = data[position < length - 1 ? i + step : i];
    result[i] = Math.floor((data[i] * CENTER_WEIGHT + (before + after) * NEIGHBOR_WEIGHT + 2 ** 23) / 2 ** 24);
  }
  return result;
}
