// Decodes photos to RGB on white, with their orientation applied, large ones reduced: modiste.imaging.decode and
// reduction in JavaScript.
import { UnsupportedError, parse } from "./file-format.js";
import { createImage, reduce } from "./image.js";
import { PhotoError } from "./photo-error.js";

const MAX_BYTES = 50 * 2 ** 20;
const MAX_PIXELS = { "image/jpeg": 210_000_000, "image/png": 65_000_000, "image/webp": 20_000_000 };
const MIN_SIDE = 8;
const MIN_REDUCED_SIDE = 1024; // pixels that the shorter side of a reduced photo has at least
const MAX_PREPARED_PIXELS = 8_000_000; // an elongated photo is reduced below that side for it
const STRIP_PIXELS = 2 ** 20; // read at a time, so that a large photo needs no canvas of its size, which phones refuse

// Decodes a photo, a Blob. Raises a PhotoError with the HTTP status that the service responds with.
export async function decode(blob) {
  if (blob.size > MAX_BYTES) throw new PhotoError(413, `The photo is larger than ${MAX_BYTES / 2 ** 20} MiB. Make it smaller.`);
  const { bitmap, type, orientation } = await decodeFile(new Uint8Array(await blob.arrayBuffer()));
  try {
    checkSize(bitmap, MAX_PIXELS[type]);
    return readPixels(bitmap, orientation);
  } finally {
    bitmap.close();
  }
}

async function decodeFile(bytes) {
  try {
    const { type, orientation, data } = parse(bytes);
    return { bitmap: await createImageBitmap(new Blob(data, { type }), { colorSpaceConversion: "none" }), type, orientation };
  } catch (error) {
    if (error instanceof UnsupportedError) throw new PhotoError(415);
    throw new PhotoError(422, "The photo is truncated, damaged, or too large for this browser. Copy or download it again, or make it smaller.");
  }
}

function checkSize({ width, height }, limit) {
  const size = `The photo has ${width} x ${height} pixels`;
  if (width * height > limit) throw new PhotoError(422, `${size}, more than ${limit / 1e6} million. Make it smaller.`);
  if (Math.min(width, height) < MIN_SIDE) throw new PhotoError(422, `${size}, but needs ${MIN_SIDE} a side. Give a larger one.`);
}

// By how much a photo is reduced on each side; 1 for most.
function reductionFactor(width, height) {
  const shorter = Math.min(width, height);
  const factor = Math.max(Math.trunc(shorter / MIN_REDUCED_SIDE), Math.ceil(Math.sqrt((width * height) / MAX_PREPARED_PIXELS)));
  return Math.max(1, Math.min(factor, Math.trunc(shorter / MIN_SIDE)));
}

// Where the pixel (0, 0) goes in a w x h photo, and the steps of x and y in pixels of the result, by EXIF orientation.
const LAYOUTS = {
  1: (w) => [0, 1, w],
  2: (w) => [w - 1, -1, w],
  3: (w, h) => [w * h - 1, -1, -w],
  4: (w, h) => [w * (h - 1), 1, -w],
  5: (w, h) => [0, h, 1],
  6: (w, h) => [h - 1, h, -1],
  7: (w, h) => [w * h - 1, -h, -1],
  8: (w, h) => [h * (w - 1), -h, 1],
};

function readPixels(bitmap, orientation) {
  const { width, height } = bitmap;
  const factor = reductionFactor(width, height);
  const [newWidth, newHeight] = [Math.ceil(width / factor), Math.ceil(height / factor)];
  const photo = orientation < 5 ? createImage(newWidth, newHeight, 3) : createImage(newHeight, newWidth, 3);
  const [origin, stepX, stepY] = LAYOUTS[orientation](newWidth, newHeight).map((pixels) => 3 * pixels);
  const rows = Math.min(height, factor * Math.max(1, Math.trunc(STRIP_PIXELS / (width * factor))));
  const context = new OffscreenCanvas(width, rows).getContext("2d", { alpha: false, willReadFrequently: true });
  for (let top = 0; top < height; top += rows) {
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, rows);
    context.drawImage(bitmap, 0, -top);
    const count = Math.min(rows, height - top);
    const strip = reduce(createImage(width, count, 4, context.getImageData(0, 0, width, count).data), factor);
    copyPixels(strip.data, photo.data, strip.width, strip.height, origin + (top / factor) * stepY, stepX, stepY);
  }
  return photo;
}

function copyPixels(rgba, rgb, width, height, origin, stepX, stepY) {
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0, j = origin + y * stepY; x < width; x++, i += 4, j += stepX) {
      rgb[j] = rgba[i];
      rgb[j + 1] = rgba[i + 1];
      rgb[j + 2] = rgba[i + 2];
    }
}
