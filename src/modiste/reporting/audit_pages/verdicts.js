"use strict";
const names = JSON.parse(document.getElementById("names").textContent);
const cards = [...document.querySelectorAll(".question")];
const choices = [...document.querySelectorAll("[data-verdict]")];
const fields = ["annotator", "method"].map((id) => document.getElementById(id));
const storageKey = "modiste-verdicts-" + names.join("|").length + "-" + names.slice(0, 5).join("|");

function load() {
  try {
    return JSON.parse(localStorage.getItem(storageKey)) || {};
  } catch {
    return {}; // no storage in this browser, or something else in it
  }
}

const verdicts = load();
let current = Math.max(0, names.findIndex((name) => !(name in verdicts)));

function show() {
  cards.forEach((card, index) => { card.hidden = index !== current; });
  choices.forEach((button) => button.setAttribute("aria-pressed", verdicts[names[current]] === button.dataset.verdict));
  const done = names.filter((name) => name in verdicts).length;
  document.getElementById("progress").textContent = `Image ${current + 1} of ${names.length}, ${done} with a verdict`;
  document.getElementById("back").disabled = current === 0;
  document.getElementById("next").disabled = current === names.length - 1;
}

function move(step) {
  current = Math.min(names.length - 1, Math.max(0, current + step));
  show();
}

function choose(verdict) {
  verdicts[names[current]] = verdict;
  try {
    localStorage.setItem(storageKey, JSON.stringify(verdicts));
  } catch {
    // without storage the verdicts stay in the page
  }
  move(1);
}

function save() {
  const missing = names.filter((name) => !(name in verdicts)).length;
  const empty = fields.find((field) => !field.value.trim());
  const message = document.getElementById("message");
  if (missing || empty) {
    message.textContent = missing ? `${missing} images have no verdict yet.` : "Fill in both fields first.";
    if (empty && !missing) empty.focus();
    return;
  }
  message.textContent = "";
  const content = {
    annotator: fields[0].value.trim(),
    method: fields[1].value.trim(),
    verdicts: names.map((image) => ({ image, verdict: verdicts[image] })),
  };
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(content, null, 2)], { type: "application/json" }));
  link.download = "verdicts.json";
  link.click();
  URL.revokeObjectURL(link.href);
}

choices.forEach((button) => button.addEventListener("click", () => choose(button.dataset.verdict)));
document.getElementById("back").addEventListener("click", () => move(-1));
document.getElementById("next").addEventListener("click", () => move(1));
document.getElementById("save").addEventListener("click", save);
document.addEventListener("keydown", (event) => {
  if (event.target.matches("input") || event.ctrlKey || event.metaKey || event.altKey) return;
  const index = Number(event.key) - 1;
  if (choices[index]) choose(choices[index].dataset.verdict);
  if (event.key === "ArrowLeft") move(-1);
  if (event.key === "ArrowRight") move(1);
});
show();
