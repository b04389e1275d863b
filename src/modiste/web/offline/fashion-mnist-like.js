// Recognizes images of Fashion-MNIST, enlarged or padded: modiste.imaging.fashion_mnist_like in JavaScript.
import { boundingBox, createImage, createLike, crop, reduce, roundHalfEven, toGray } from "./image.js";
import { resize } from "./resample.js";
import { rootMeanSquare, standardDeviation } from "./statistics.js";

const CHECKED_SIDE = 224; // larger photos are reduced to fewer than twice these pixels a side first
const MAX_CHANNEL_DIFFERENCE = 8; // between the channels of a gray photo
export const CORNERS = [[0, 0], [0, 1], [1, 0], [1, 1]]; // bottom and right, as 0 or 1
export const MAX_BACKGROUND = 127; // gray level of two of the corners, at most
const CONTENT_LEVEL = 25; // gray level above which a pixel is content
const MIN_PEAK = 80; // gray level that the brightest pixel reaches
const MAX_RESIDUAL = 0.08; // what reducing and enlarging loses, relative to the standard deviation of the pixels

// Restores the gray image of `size` pixels a side that an RGB photo is a copy of; null if it is not such a copy.
export function originalImage(photo, size) {
  const factor = Math.max(1, Math.trunc(Math.max(photo.width, photo.height) / CHECKED_SIDE));
  if (!isGray(photo, factor)) return null;
  const gray = toGray(reduce(photo, factor));
  const { width, height, data } = gray;
  const corners = CORNERS.map(([y, x]) => data[y * (height - 1) * width + x * (width - 1)]).sort((a, b) => a - b);
  const peak = data.reduce((highest, level) => Math.max(highest, level), 0);
  if (corners[1] > MAX_BACKGROUND || !peak) return null;
  if (width === size && height === size) return gray;
  const square = peak >= MIN_PEAK ? cropSquare(gray, size) : null;
  return square && reduceSquare(square, size);
}

function isGray({ width, height, data }, step) {
  for (let y = 0; y < height; y += step)
    for (let x = 0; x < width; x += step) {
      const [red, green, blue] = data.subarray(3 * (y * width + x), 3 * (y * width + x) + 3);
      if (Math.max(red, green, blue) - Math.min(red, green, blue) > MAX_CHANNEL_DIFFERENCE) return false;
    }
  return true;
}

function cropSquare(gray, size) {
  const [left, top, right, bottom] = boundingBox(gray, (level) => level > CONTENT_LEVEL) ?? [0, 0, 0, 0];
  const [extent, longest] = [Math.max(right - left, bottom - top), Math.max(gray.width, gray.height)];
  if (extent < Math.max(0.85 * size, 0.45 * longest)) return null;
  const side = extent <= size && size <= longest ? size : extent >= 0.9 * longest ? longest : extent;
  const [x, y] = [squareStart(left, right, gray.width, side), squareStart(top, bottom, gray.height, side)];
  return crop(gray, [x, y, x + side, y + side]);
}

// Where a square starts on one axis: centered in the photo if the content fits, else on the content.
function squareStart(low, high, length, side) {
  const start = Math.floor((length - side) / 2);
  return start <= low && high <= start + side ? start : roundHalfEven((low + high - side) / 2);
}

// Reduces a square to the image that it was enlarged from, by Landweber iterations; null if it has too much detail.
function reduceSquare(square, size) {
  const pixels = createImage(square.width, square.height, 1, Float32Array.from(square.data));
  for (const filter of ["nearest", "bilinear", "bicubic"]) {
    const image = createLike(pixels, size, size);
    let residual = pixels;
    for (let iteration = 0; iteration < 3; iteration++) {
      const change = resize(residual, size, size, "box").data;
      image.data.forEach((_, i) => (image.data[i] += change[i]));
      const enlarged = resize(image, square.width, square.height, filter).data;
      residual = { ...pixels, data: pixels.data.map((value, i) => value - enlarged[i]) };
    }
    if (rootMeanSquare(residual.data) <= MAX_RESIDUAL * standardDeviation(pixels.data))
      return createImage(size, size, 1, Uint8Array.from(image.data, (value) => Math.min(255, Math.max(0, roundHalfEven(value)))));
  }
  return null;
}
