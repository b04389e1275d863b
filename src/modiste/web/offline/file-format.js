// What is read from a photo file before the browser decodes it: format and orientation; other metadata is removed, so
// that no color profile or gamma changes the pixels. modiste.imaging.file_format in JavaScript.

const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const PNG_CHUNKS = ["IHDR", "PLTE", "tRNS", "IDAT", "IEND"]; // the chunks that define pixels
const ORIENTATION = 0x0112; // tag of EXIF
const SCAN = 0xda; // marker of a JPEG's pixels, after which nothing is read
const isMetadata = (marker) => (marker > 0xe0 && marker < 0xee) || marker === 0xef || marker === 0xfe;
const hasNoLength = (marker) => marker === 0 || marker === 1 || (marker >= 0xd0 && marker < 0xd9) || marker === 0xff;

// The file is of no format that is read.
export class UnsupportedError extends Error {}

// Returns type, EXIF orientation (1 to 8) and bytes without metadata of a JPEG, PNG or WebP file. Other errors than
// UnsupportedError mean that it is truncated or damaged.
export function parse(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return parseJpeg(bytes, view);
  if (PNG_SIGNATURE.every((byte, i) => bytes[i] === byte)) return parsePng(bytes, view);
  if (text(bytes, 0, 4) === "RIFF" && text(bytes, 8, 12) === "WEBP") return parseWebp(bytes, view);
  throw new UnsupportedError();
}

const text = (bytes, start, end) => String.fromCharCode(...bytes.subarray(start, end));

function parseJpeg(bytes, view) {
  const parts = [bytes.subarray(0, 2)];
  let orientation = 0;
  for (let start = 2; ; ) {
    start = bytes.indexOf(0xff, start);
    if (start < 0) throw new Error("truncated");
    const marker = view.getUint8(start + 1);
    if (marker === SCAN) {
      parts.push(bytes.subarray(start));
      return { type: "image/jpeg", orientation: orientation || 1, data: parts };
    }
    let end = start + 1;
    if (!hasNoLength(marker)) {
      end = start + 2 + view.getUint16(start + 2);
      if (marker === 0xe1 && !orientation && text(bytes, start + 4, start + 10) === "Exif\0\0") orientation = readOrientation(bytes.subarray(start + 10, end));
      if (!isMetadata(marker)) parts.push(bytes.subarray(start, end));
    }
    start = end;
  }
}

function parsePng(bytes, view) {
  const parts = [bytes.subarray(0, 8)];
  let orientation = 1;
  for (let start = 8, name = ""; name !== "IEND"; ) {
    const end = start + 12 + view.getUint32(start);
    name = text(bytes, start + 4, start + 8);
    if (end > bytes.length) throw new Error("truncated");
    if (PNG_CHUNKS.includes(name)) parts.push(bytes.subarray(start, end));
    if (name === "eXIf") orientation = readOrientation(bytes.subarray(start + 8, end - 4));
    start = end;
  }
  return { type: "image/png", orientation, data: parts };
}

// WebP is passed on as it is, but for its color profile and EXIF, whose names are replaced by one that decoders skip.
function parseWebp(bytes, view) {
  const data = bytes.slice();
  let orientation = 1;
  if (bytes.length < 8 + view.getUint32(4, true)) throw new Error("truncated");
  for (let start = 12; start + 8 <= bytes.length; ) {
    const [name, length] = [text(bytes, start, start + 4), view.getUint32(start + 4, true)];
    if (name === "EXIF") orientation = readOrientation(bytes.subarray(start + 8, start + 8 + length));
    if (name === "VP8X") data[start + 8] &= ~(0x20 | 0x08 | 0x04); // neither a color profile, EXIF nor XMP
    if (["ICCP", "EXIF", "XMP "].includes(name)) data.set([0x73, 0x6b, 0x69, 0x70], start);
    start += 8 + length + (length % 2);
  }
  return { type: "image/webp", orientation, data: [data] };
}

// Reads the orientation from an EXIF block; 1 when it is missing or invalid.
function readOrientation(exif) {
  const start = text(exif, 0, 6) === "Exif\0\0" ? 6 : 0;
  const tiff = new DataView(exif.buffer, exif.byteOffset + start, exif.byteLength - start);
  try {
    const isLittle = { "II*\0": true, "MM\0*": false }[text(exif, start, start + 4)];
    if (isLittle === undefined) return 1;
    const directory = tiff.getUint32(4, isLittle);
    for (let i = 0; i < tiff.getUint16(directory, isLittle); i++) {
      const entry = directory + 2 + 12 * i;
      const [tag, kind, value] = [0, 2, 8].map((offset) => tiff.getUint16(entry + offset, isLittle));
      if (tag === ORIENTATION && kind === 3 && value >= 1 && value <= 8) return value;
    }
  } catch {
    return 1; // it ends early
  }
  return 1;
}
