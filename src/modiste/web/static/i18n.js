// The language of the page, and its texts. A change of language is the event "texts" on the document.
import { $ } from "./dom.js";
import { SHOES, TEXTS } from "./texts.js";

let language = (localStorage.getItem("language") ?? navigator.language).startsWith("zh") ? "zh" : "en";

export const currentLanguage = () => language;

export const text = (key, values = {}) => TEXTS[language][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
export const labelText = (label) => TEXTS[language].labels[label] ?? label;
export const percent = (fraction) => `${(100 * fraction).toFixed(1)}%`;

// "a, b or c"
function alternatives(labels) {
  const names = labels.map(labelText);
  return [names.slice(0, -1).join(text("comma")), names.at(-1)].join(text("or"));
}

// "Shoe: sandal or sneaker" for kinds of shoe, "a or b" for other classes of a group.
export function groupText(labels) {
  return labels.every((label) => SHOES.includes(label)) ? text("shoe", { kinds: alternatives(labels).toLowerCase() }) : alternatives(labels);
}

// The text for a PhotoError: that of its HTTP status, else the server's message, else a general one.
export function errorText({ status, message }) {
  const key = { 0: "noServer", 408: "tooSlow", 413: "tooLarge", 415: "unsupported", 422: "damaged", 503: "busy" }[status];
  return language === "en" && message ? message : key ? text(key) : message || text("failed");
}

function changeLanguage() {
  language = text("otherLanguageCode");
  localStorage.setItem("language", language);
  renderTexts();
}

// Fills the elements with data-text and data-aria-label and the button for the other language, and lets the other
// modules render their texts.
export function renderTexts() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);
  for (const element of document.querySelectorAll("[data-aria-label]")) element.setAttribute("aria-label", text(element.dataset.ariaLabel));
  Object.assign($("language-button"), { textContent: text("otherLanguage"), lang: text("otherLanguageCode"), onclick: changeLanguage });
  document.dispatchEvent(new Event("texts"));
}
