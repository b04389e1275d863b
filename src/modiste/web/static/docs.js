// The documentation of the API: a form to try it, the request in three languages, and all operations of openapi.json.
import { $, create } from "./dom.js";
import { currentLanguage, renderTexts, text } from "./i18n.js";
import { TEXTS } from "./texts.js";

// An answer to show before the first request; probabilities depend on the model.
const SAMPLE = {
  file: "", label: "Ankle boot", probability: 0.9954,
  top: [{ label: "Ankle boot", probability: 0.9954 }, { label: "Shirt", probability: 0.0011 }, { label: "Pullover", probability: 0.0009 }],
  model: "fashion-mnist", error: null,
};

// Code for a request, by language; URLs are relative to this page, so they are right behind a proxy's prefix, too.
const CODE = {
  curl: (url) => `curl --data-binary @boot.png -H 'Content-Type: image/png' '${url}'`,
  python: (url) => `import json
import urllib.request

with open("boot.png", "rb") as photo:
    request = urllib.request.Request("${url}", photo.read(), {"Content-Type": "image/png"})
with urllib.request.urlopen(request) as response:
    prediction = json.load(response)
print(prediction["label"], prediction["probability"])`,
  javascript: (url) => `const photo = document.querySelector("input[type=file]").files[0];
const response = await fetch("${url}", {
  method: "POST", body: photo, headers: { "Content-Type": "application/octet-stream" },
});
const { label, probability } = await response.json();`,
};

const description = fetch("openapi.json").then((response) => response.json());
const about = fetch("about").then((response) => response.json());
let codeLanguage = "curl";
let answerTitle = "sampleAnswer";

const url = (path) => new URL(path, document.baseURI).href;
const predictUrl = () => url(`predict?top=${$("try-top").valueAsNumber || 1}`);

function renderCode() {
  $("code").textContent = CODE[codeLanguage](predictUrl());
  for (const button of $("languages").children) button.setAttribute("aria-pressed", button.dataset.language === codeLanguage);
  $("several").textContent = `curl -F file=@boot.png -F file=@coat.jpg '${url("predict")}'`;
}

// Sends the chosen photo, or the first sample, and shows the response.
async function send(event) {
  event.preventDefault();
  const photo = $("try-file").files[0] ?? (await loadSample());
  if (!photo) return;
  const headers = { "Content-Type": "application/octet-stream" };
  const response = await fetch(predictUrl(), { method: "POST", body: photo, headers }).catch(() => null);
  answerTitle = "response";
  renderAnswer(response ? `HTTP ${response.status}\n${formatJson(await response.json())}` : text("noServer"));
}

async function loadSample() {
  const [sample] = (await about).samples;
  return sample && (await fetch(sample.file)).blob();
}

const formatJson = (value) => JSON.stringify(value, null, 2);

function renderAnswer(content) {
  $("answer-title").textContent = text(answerTitle);
  if (content) $("answer").textContent = content;
}

// Parts of a text in `backquotes` are code.
const formatText = (content) => content.split("`").map((part, i) => (i % 2 ? create("code", {}, part) : part));

function createOperation(method, path, { summary, description: details, parameters = [], responses }) {
  const name = `${method.toUpperCase()} ${path}`;
  const translated = TEXTS[currentLanguage()].operations[path];
  const parts = [create("h2", {}, create("code", {}, name)), create("p", {}, translated ?? summary)];
  if (details && !translated) parts.push(create("p", {}, ...formatText(details)));
  const options = parameters.map(({ name: option, schema }) => create("li", {}, create("code", {}, option), `: ${schema.type}, ${text("default")} ${JSON.stringify(schema.default ?? null)}`));
  if (options.length) parts.push(create("h3", {}, text("parameters")), create("ul", {}, ...options));
  const rows = Object.entries(responses).map(([status, response]) => create("li", {}, create("code", {}, status), ` ${TEXTS[currentLanguage()].statuses[status] ?? response.description}`));
  parts.push(create("h3", {}, text("response")), create("ul", {}, ...rows));
  return create("section", {}, ...parts);
}

async function renderOperations() {
  const { paths } = await description;
  const operations = Object.entries(paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => createOperation(method, path, operation)));
  $("operations").replaceChildren(...operations);
}

about.then(({ photo_types: types }) => ($("try-file").accept = types.join()));
$("try-form").onsubmit = send;
$("try-top").oninput = renderCode;
for (const button of $("languages").children) button.onclick = () => { codeLanguage = button.dataset.language; renderCode(); };
document.addEventListener("texts", () => {
  renderAnswer();
  renderOperations();
});
renderTexts();
renderCode();
renderAnswer(formatJson(SAMPLE));
