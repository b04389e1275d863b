// The image that a network takes from a photo: modiste.imaging.preprocess in JavaScript, to the last gray level.
import { CORNERS, MAX_BACKGROUND, originalImage } from "./fashion-mnist-like.js";
import { boundingBox, createImage, crop, paste, roundHalfEven, sharpen, toGray } from "./image.js";
import { resize } from "./resample.js";
import { median } from "./statistics.js";

const MARGIN = 13; // 5 % of 255: difference from the corners' color up to which a pixel is margin

// Makes the image of a decoded photo, RGB, for a model as about.json describes it.
export function toImage(photo, { image_size: size, channels, resize_mode: resizeMode, is_on_black: isOnBlack }) {
  if (channels === 3) return RESIZE_MODES[resizeMode](photo, size);
  if (!isOnBlack) return RESIZE_MODES[resizeMode](toGray(photo), size);
  return originalImage(photo, size) ?? prepareAsFashionMnist(photo, size);
}

const RESIZE_MODES = { squash, letterbox, center_crop: centerCrop };

function squash(photo, size) {
  return resize(photo, size, size, "bicubic");
}

function letterbox(photo, size) {
  const longest = Math.max(photo.width, photo.height);
  const padding = (side) => Math.min(roundHalfEven(((longest - side) * size) / longest / 2), (size - 1) >> 1);
  const [left, top] = [padding(photo.width), padding(photo.height)];
  const scaled = resize(photo, size - 2 * left, size - 2 * top, "bicubic");
  return paste(scaled, size, size, edgeColor(scaled), left, top);
}

// The median color of all four edges; pixels in a corner count twice.
function edgeColor({ width, height, channels, data }) {
  const pixels = [];
  for (let x = 0; x < width; x++) pixels.push(x, (height - 1) * width + x);
  for (let y = 0; y < height; y++) pixels.push(y * width, (y + 1) * width - 1);
  return Array.from({ length: channels }, (_, channel) => Math.trunc(median(pixels.map((pixel) => data[pixel * channels + channel]))));
}

// ImageOps.fit: the center of the photo, scaled.
function centerCrop(photo, size) {
  const side = Math.min(photo.width, photo.height);
  const [left, top] = [(photo.width - side) / 2, (photo.height - side) / 2];
  return resize(photo, size, size, "bicubic", [left, top, left + side, top + side]);
}

// Crops an image to this fraction of its sides, and enlarges that to its size.
export function enlargeCenter(image, fraction) {
  const size = image.width;
  const border = Math.min(roundHalfEven((size * (1 - fraction)) / 2), (size - 1) >> 1);
  return resize(crop(image, [border, border, size - border, size - border]), size, size, "bicubic");
}

export function mirror({ width, height, channels, data }) {
  const result = createImage(width, height, channels);
  for (let y = 0, i = 0; y < height; y++)
    for (let x = width - 1; x >= 0; x--)
      for (let channel = 0; channel < channels; channel++) result.data[i++] = data[(y * width + x) * channels + channel];
  return result;
}

// Trims, resizes the longest edge by nearest neighbor, sharpens, converts to gray on black, and centers.
function prepareAsFashionMnist(photo, size) {
  const corners = cornerColors(photo);
  const color = [0, 1, 2].map((channel) => median(corners.map((pixel) => pixel[channel])));
  const trimmed = trim(photo, color.map(Math.trunc));
  const scale = size / Math.max(trimmed.width, trimmed.height);
  const [width, height] = [trimmed.width, trimmed.height].map((side) => Math.max(1, roundHalfEven(side * scale)));
  const gray = toGray(sharpen(resize(trimmed, width, height, "nearest")));
  const isBright = (color[0] + color[1] + color[2]) / 3 > MAX_BACKGROUND;
  if (isBright && photo.data.some((value) => value !== photo.data[0])) gray.data = gray.data.map((level) => 255 - level);
  return paste(gray, size, size, [0], (size - width) >> 1, (size - height) >> 1);
}

function cornerColors({ width, height, data }) {
  return CORNERS.map(([y, x]) => {
    const start = 3 * (y * (height - 1) * width + x * (width - 1));
    return data.subarray(start, start + 3);
  });
}

function trim(photo, color) {
  const box = boundingBox(photo, (value, channel) => Math.abs(value - color[channel]) > MARGIN);
  return box ? crop(photo, box) : photo;
}
