// Elements by id, and new ones.
export const $ = (id) => document.getElementById(id);

// Creates an element with properties and children (elements or texts).
export function create(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}
