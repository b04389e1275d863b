// Decodes photos to RGB on white, with their orientation applied: modiste.imaging.decode in JavaScript.
import { UnsupportedError, parse } from "./file-format.js";
import { createImage } from "./image.js";
import { PhotoError } from "./photo-error.js";

const MAX_BYTES = 50 * 2 ** 20;
const MAX_PIXELS = 65_000_000;
const MIN_SIDE = 8;
const STRIP_PIXELS = 2 ** 20; // read at a time, so that a large photo needs no canvas of its size, which phones refuse

// Decodes a photo, a Blob. Raises a PhotoError with the HTTP status that the service responds with.
export async function decode(blob) {
  if (blob.size > MAX_BYTES) throw new PhotoError(413);
  const { bitmap, orientation } = await decodeFile(new Uint8Array(await blob.arrayBuffer()));
  try {
    if (bitmap.width * bitmap.height > MAX_PIXELS || Math.min(bitmap.width, bitmap.height) < MIN_SIDE) throw new PhotoError(422);
    return readPixels(bitmap, orientation);
  } finally {
    bitmap.close();
  }
}

async function decodeFile(bytes) {
  try {
    const { type, orientation, data } = parse(bytes);
    return { bitmap: await createImageBitmap(new Blob(data, { type }), { colorSpaceConversion: "none" }), orientation };
  } catch (error) {
    throw new PhotoError(error instanceof UnsupportedError ? 415 : 422);
  }
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
  const photo = orientation < 5 ? createImage(width, height, 3) : createImage(height, width, 3);
  const [origin, stepX, stepY] = LAYOUTS[orientation](width, height).map((pixels) => 3 * pixels);
  const rows = Math.min(height, Math.max(1, Math.trunc(STRIP_PIXELS / width)));
  const context = new OffscreenCanvas(width, rows).getContext("2d", { alpha: false, willReadFrequently: true });
  for (let top = 0; top < height; top += rows) {
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, rows);
    context.drawImage(bitmap, 0, -top);
    const count = Math.min(rows, height - top);
    copyPixels(context.getImageData(0, 0, width, count).data, photo.data, width, count, origin + top * stepY, stepX, stepY);
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
