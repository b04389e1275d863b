// The page: every way in ends in look(), every answer in show().
import { TEXTS } from "./texts.js";

const TINY = 64; // pixels a side up to which a picture is shown as squares
const FRAME = 320; // pixels of the longer side of a camera frame that is sent: more would only take longer
const NONE = "none of these"; // what a model says that knows when it does not know
const PAUSE = 1000; // milliseconds until the next frame when the server is busy or away
const $ = (id) => document.getElementById(id);

let language = (localStorage.getItem("language") ?? navigator.language).startsWith("zh") ? "zh" : "en";
let about = null; // the models that answer, and the samples
let last = null; // the answer on show, for a change of language
let asked = 0; // numbers the pictures, so that a late answer does not replace a newer one

const text = (key, values = {}) =>
  TEXTS[language][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
const named = (label) => TEXTS[language].labels[label] ?? label;

// --- what is on show ---------------------------------------------------------------------------------------------

function speak() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);
  $("language").textContent = text("other");
  $("language").lang = text("otherLang");
  $("picture").alt = text("picture");
  if (about) {
    $("models").replaceChildren(...about.models.map(known));
    for (const image of $("samples").querySelectorAll("img")) image.alt = text("sample", { label: named(image.dataset.label) });
  }
  if (last) last();
}

function known({ model, labels, scores }) {
  const row = document.createElement("li");
  const name = document.createElement("b");
  name.textContent = model;
  const told = [text(labels.includes(NONE) ? "knows" : "always", { count: labels.length })];
  const split = ["test", "folds", "validation"].find((each) => scores[each]?.n && scores[each].accuracy);
  if (split) {
    const { accuracy, n } = scores[split];
    told.push(text(split, { accuracy: (100 * accuracy).toFixed(1), n: n.toLocaleString(language) }));
  }
  row.append(name, told.join(text("stop")));
  return row;
}

function say(words, kind = "") {
  delete $("said").dataset.text; // it is no longer the text of an empty page
  $("said").textContent = words;
  $("live").textContent = words;
  $("said").className = kind;
}

function show(record) {
  last = () => show(record);
  const model = about.models.find((each) => each.model === record.model);
  say(named(record.label));
  const by = about.models.length > 1 ? [text("by", { model: model.model })] : [];
  const best = record.top[0].label;
  if (record.label !== best) by.push(text("unsure", { label: named(best) }));
  $("by").textContent = by.join(text("stop"));
  document.querySelector("#sees figcaption").textContent = text(model.channels === 1 ? "sees" : "seesColour");
  $("bars").replaceChildren(...record.top.map(bar));
  draw("sees", "seen", record.preview);
  draw("where", "heat", record.heatmap);
  document.querySelector("#where figcaption").textContent = text("where", { label: named(best) });
}

function draw(figure, image, source) {
  $(figure).hidden = !source;
  if (source) $(image).src = source;
}

function bar({ label, probability }) {
  const row = document.createElement("li");
  const [name, room, stroke, share] = ["span", "span", "i", "b"].map((tag) => document.createElement(tag));
  name.textContent = named(label);
  stroke.style.width = `${100 * probability}%`;
  share.textContent = `${(100 * probability).toFixed(1)} %`;
  room.append(stroke);
  row.append(name, room, share);
  return row;
}

function fail(key, status, sentence) {
  last = () => fail(key, status, sentence);
  say(TEXTS[language].statuses[status] ?? sentence ?? text(key), "wrong");
  empty();
}

function empty() {
  $("by").textContent = "";
  $("bars").replaceChildren();
  draw("sees", "seen");
  draw("where", "heat");
}

function wipeAnswer() {
  asked++; // an answer that is still on its way is to another picture
  last = () => say(text("thinking"), "quiet");
  last();
  empty();
}

function rest() {
  wipeAnswer();
  last = () => say(text("waiting"), "quiet");
  last();
}

function stage(id) {
  for (const each of ["hint", "picture", "video", "drawing"]) $(each).hidden = each !== id;
  $("draw").setAttribute("aria-pressed", id === "drawing");
  $("camera").setAttribute("aria-pressed", id === "video");
  $("clear").hidden = id !== "drawing";
  $("live").hidden = id !== "video" && id !== "drawing";
  if (id !== "video") stopCamera();
}

// --- asking ------------------------------------------------------------------------------------------------------

// Returns whether there was an answer with a label in it. Without a model's name, the server takes the one that fits.
// A heat map takes the server much longer than a label, which is there before; so if it fails, the label stays.
async function look(picture, model = "", heatmap = false) {
  const number = ++asked;
  try {
    const answer = await fetch(`predict?top=5&preview=true&heatmap=${heatmap}&model=${encodeURIComponent(model)}`, { method: "POST", body: picture, headers: { "Content-Type": "application/octet-stream" } });
    const record = await answer.json();
    if (number === asked && answer.ok) show(record);
    else if (number === asked && !heatmap) fail("noServer", answer.status, record.error);
    return answer.ok;
  } catch {
    if (number === asked && !heatmap) fail("noServer");
    return false;
  }
}

// The label as soon as it is there, then the heat map, unless something else was asked meanwhile.
async function ask(picture, model) {
  const number = asked + 1;
  if (await look(picture, model) && number === asked) look(picture, model, true);
}

async function give(picture) {
  stage("picture");
  URL.revokeObjectURL($("picture").src);
  $("picture").src = URL.createObjectURL(picture);
  wipeAnswer();
  await ask(picture);
  $("answer").scrollIntoView({ behavior: "smooth", block: "nearest" }); // on a phone it is below the picture
}

// --- ways in -----------------------------------------------------------------------------------------------------

$("picture").onload = () => $("picture").classList.toggle("tiny", $("picture").naturalWidth <= TINY);
$("file").onchange = () => {
  if ($("file").files.length) give($("file").files[0]);
  $("file").value = ""; // the same file again is a choice too
};

document.ondragover = (event) => { event.preventDefault(); $("stage").classList.add("over"); };
document.ondragleave = () => $("stage").classList.remove("over");
document.ondrop = (event) => {
  event.preventDefault();
  $("stage").classList.remove("over");
  if (event.dataTransfer.files.length) give(event.dataTransfer.files[0]);
};
document.onpaste = (event) => {
  if (event.clipboardData.files.length) give(event.clipboardData.files[0]);
};

// --- camera: a frame is sent when the answer to the one before is there ---------------------------------------------

let opening = false;

async function startCamera() {
  if (opening) return; // a second click while the browser still asks
  opening = true;
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    fail(isSecureContext ? "noCamera" : "notSecure");
    return;
  } finally {
    opening = false;
  }
  stage("video");
  $("video").srcObject = stream;
  const [track] = stream.getVideoTracks();
  $("video").classList.toggle("mirror", track.getSettings().facingMode !== "environment");
  await $("video").play();
  $("rate").hidden = false;
  const began = performance.now();
  const on = () => $("video").srcObject === stream; // and not switched off, or off and on again
  for (let frames = 1; on(); frames++) {
    const shot = await frame();
    if (!on()) break; // another picture was given meanwhile
    if (!(await look(shot))) await new Promise((done) => setTimeout(done, PAUSE));
    $("rate").textContent = text("rate", { rate: (1000 * frames / (performance.now() - began)).toFixed(1) });
  }
}

function stopCamera() {
  for (const track of $("video").srcObject?.getTracks() ?? []) track.stop();
  $("video").srcObject = null;
  $("rate").hidden = true;
}

function frame() {
  const { videoWidth: width, videoHeight: height } = $("video");
  const scale = FRAME / Math.max(width, height);
  const canvas = new OffscreenCanvas(Math.round(scale * width), Math.round(scale * height));
  canvas.getContext("2d").drawImage($("video"), 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 });
}

$("camera").onclick = () => {
  if (!$("video").srcObject) return startCamera();
  stage("hint");
  rest();
};

// --- drawing -----------------------------------------------------------------------------------------------------

const pen = $("drawing").getContext("2d", { willReadFrequently: true });

function wipe() {
  pen.fillStyle = "#000";
  pen.fillRect(0, 0, $("drawing").width, $("drawing").height);
  Object.assign(pen, { strokeStyle: "#fff", lineWidth: 22, lineCap: "round", lineJoin: "round" });
}

function place(event) {
  const box = $("drawing").getBoundingClientRect();
  const scale = $("drawing").width / box.width;
  return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
}

$("drawing").onpointerdown = (event) => {
  $("drawing").setPointerCapture(event.pointerId);
  pen.beginPath();
  pen.moveTo(...place(event));
  pen.lineTo(...place(event));
  pen.stroke();
};
$("drawing").onpointermove = (event) => {
  if (!event.buttons) return;
  pen.lineTo(...place(event));
  pen.stroke();
};
// what is drawn is bright on black, as the pictures of a gray model are
const gray = () => (about.models.find((each) => each.channels === 1) ?? about.models[0]).model;
$("drawing").onpointerup = () => $("drawing").toBlob((drawn) => $("drawing").hidden || ask(drawn, gray()), "image/png");
$("draw").onclick = () => { wipe(); rest(); stage($("drawing").hidden ? "drawing" : "hint"); };
$("clear").onclick = () => { wipe(); rest(); };

// --- start -------------------------------------------------------------------------------------------------------

$("language").onclick = () => {
  language = text("otherLang");
  localStorage.setItem("language", language);
  speak();
};

function sample({ file, label }) {
  const [row, button, image] = ["li", "button", "img"].map((tag) => document.createElement(tag));
  button.type = "button";
  image.src = file;
  image.dataset.label = label;
  button.onclick = () => fetch(file).then((answer) => answer.blob()).then(give, () => fail("noServer"));
  button.append(image);
  row.append(button);
  return row;
}

speak();
$("said").className = "quiet";
about = await (await fetch("about")).json();
$("samples").append(...about.samples.map(sample));
speak();
