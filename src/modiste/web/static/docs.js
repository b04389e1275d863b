// The API's page, made from its own description.
const description = await (await fetch("openapi.json")).json();

const EXAMPLES = {
  "post /predict": [
    `curl --data-binary @boot.png -H 'Content-Type: image/png' '${location.origin}/predict?top=3'`,
    `curl -F file=@boot.png -F file=@coat.jpg '${location.origin}/predict'`,
  ],
};

function element(tag, ...inside) {
  const made = document.createElement(tag);
  made.append(...inside);
  return made;
}

function call(method, path, { summary, description: words, parameters = [], responses }) {
  const section = element("section", element("h2", element("code", `${method.toUpperCase()} ${path}`)), element("p", summary));
  if (words) section.append(element("p", words));
  for (const { name, schema } of parameters)
    section.append(element("p", element("code", name), ` ${schema.type}, ${JSON.stringify(schema.default)} when left out`));
  const examples = EXAMPLES[`${method} ${path}`] ?? [`curl '${location.origin}${path}'`];
  section.append(element("pre", examples.join("\n")));
  const answers = Object.entries(responses).map(([status, { description: means }]) => element("li", element("code", status), ` ${means}`));
  section.append(element("ul", ...answers));
  return section;
}

for (const [path, methods] of Object.entries(description.paths))
  for (const [method, about] of Object.entries(methods))
    document.getElementById("calls").append(call(method, path, about));
