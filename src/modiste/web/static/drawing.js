// Drawing with pointer or keyboard: gray on black, like the images that models for gray images were trained on.
import { $ } from "./dom.js";

const CELLS = 28; // of the pen's pattern a side: as many as models for gray images have pixels
const STEP = 14; // pixels that an arrow key moves the cursor
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const canvas = $("drawing");
const pen = canvas.getContext("2d", { willReadFrequently: true });
const cursor = { x: canvas.width / 2, y: canvas.height / 2, isDrawing: false }; // of the keyboard

// The pattern of the pen: uneven gray, as cloth is. A drawing in one level is unlike all images of training, so that
// models which detect such images would call each "none of these".
const cloth = createCloth();

function createCloth() {
  const cells = new OffscreenCanvas(CELLS, CELLS);
  const pixels = new ImageData(CELLS, CELLS);
  for (let i = 0, random = 1; i < pixels.data.length; i += 4) {
    random = (random * 48271) % 2147483647; // the same pattern every time (Park and Miller 1988)
    pixels.data.fill(100 + (100 * random) / 2147483647, i, i + 3);
    pixels.data[i + 3] = 255;
  }
  cells.getContext("2d").putImageData(pixels, 0, 0);
  const enlarged = new OffscreenCanvas(canvas.width, canvas.height);
  enlarged.getContext("2d").drawImage(cells, 0, 0, canvas.width, canvas.height);
  return pen.createPattern(enlarged, "no-repeat");
}

// Calls `onStroke` with the drawing, a PNG, after each stroke.
export function connectDrawing(onStroke) {
  const finishStroke = () => canvas.toBlob(onStroke, "image/png");
  canvas.onpointerdown = (event) => {
    canvas.setPointerCapture(event.pointerId);
    startLine(pointerPosition(event));
  };
  canvas.onpointermove = (event) => event.buttons && extendLine(pointerPosition(event));
  canvas.onpointerup = finishStroke;
  canvas.onkeydown = (event) => handleKey(event, finishStroke);
  canvas.onfocus = showCursor;
  canvas.onblur = () => ($("cursor").hidden = true);
}

export function clearDrawing() {
  pen.fillStyle = "#000";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  Object.assign(pen, { strokeStyle: cloth, lineWidth: 22, lineCap: "round", lineJoin: "round" });
  Object.assign(cursor, { x: canvas.width / 2, y: canvas.height / 2, isDrawing: false });
  showCursor();
}

// Arrow keys move the cursor, the space bar lowers and lifts the pen, Delete clears.
function handleKey(event, finishStroke) {
  const arrow = ARROWS[event.key];
  if (arrow) moveCursor(arrow);
  else if (event.key === " ") togglePen(finishStroke);
  else if (event.key === "Delete" || event.key === "Backspace") $("clear-button").click();
  else return;
  event.preventDefault(); // the page does not scroll
}

function moveCursor([x, y]) {
  cursor.x = Math.min(canvas.width, Math.max(0, cursor.x + STEP * x));
  cursor.y = Math.min(canvas.height, Math.max(0, cursor.y + STEP * y));
  if (cursor.isDrawing) extendLine([cursor.x, cursor.y]);
  showCursor();
}

function togglePen(finishStroke) {
  cursor.isDrawing = !cursor.isDrawing;
  if (cursor.isDrawing) startLine([cursor.x, cursor.y]);
  else finishStroke();
  showCursor();
}

function showCursor() {
  const element = $("cursor");
  element.hidden = document.activeElement !== canvas || !canvas.matches(":focus-visible");
  element.className = cursor.isDrawing ? "drawing" : "";
  element.style.left = `${(100 * cursor.x) / canvas.width}%`;
  element.style.top = `${(100 * cursor.y) / canvas.height}%`;
}

function startLine(position) {
  pen.beginPath();
  pen.moveTo(...position);
  extendLine(position);
}

function extendLine(position) {
  pen.lineTo(...position);
  pen.stroke();
}

function pointerPosition(event) {
  const box = canvas.getBoundingClientRect();
  const scale = canvas.width / box.width;
  return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
}
