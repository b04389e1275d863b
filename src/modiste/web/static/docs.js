// The API documentation, generated from openapi.json.
const description = await (await fetch("openapi.json")).json();

// The documentation may be below a prefix, behind a proxy.
const url = (path) => new URL(path.slice(1), new URL(".", location)).href;

const EXAMPLES = {
  "post /predict": [
    `curl --data-binary @boot.png -H 'Content-Type: image/png' '${url("/predict")}?top=3'`,
    `curl -F file=@boot.png -F file=@coat.jpg '${url("/predict")}'`,
  ],
};

function createElement(tag, ...children) {
  const element = document.createElement(tag);
  element.append(...children);
  return element;
}

function createOperation(method, path, { summary, description: details, parameters = [], responses }) {
  const section = createElement("section", createElement("h2", createElement("code", `${method.toUpperCase()} ${path}`)), createElement("p", summary));
  if (details) section.append(createElement("p", ...details.split("`").map((part, i) => (i % 2 ? createElement("code", part) : part))));
  for (const { name, schema } of parameters)
    section.append(createElement("p", createElement("code", name), ` ${schema.type}, default ${JSON.stringify(schema.default)}`));
  const examples = EXAMPLES[`${method} ${path}`] ?? [`curl '${url(path)}'`];
  section.append(createElement("pre", examples.join("\n")));
  const statuses = Object.entries(responses).map(([status, response]) => createElement("li", createElement("code", status), ` ${response.description}`));
  section.append(createElement("ul", ...statuses));
  return section;
}

for (const [path, operations] of Object.entries(description.paths))
  for (const [method, operation] of Object.entries(operations))
    document.getElementById("operations").append(createOperation(method, path, operation));
