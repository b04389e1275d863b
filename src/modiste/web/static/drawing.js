// Drawing with pointer or keyboard: light on black, like the images that models for gray images were trained on.
import { $ } from "./dom.js";

const STEP = 14; // pixels that an arrow key moves the cursor
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const canvas = $("drawing");
const pen = canvas.getContext("2d", { willReadFrequently: true });
const cursor = { x: canvas.width / 2, y: canvas.height / 2, isDrawing: false }; // of the keyboard

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
  Object.assign(pen, { strokeStyle: "#fff", lineWidth: 22, lineCap: "round", lineJoin: "round" });
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
