// Saves all files of the page when it is first opened, and responds with these from then on, also without a connection.
importScripts("files.js"); // VERSION and FILES, which `modiste export --web` writes

const PREFIX = `modiste ${registration.scope} `; // other pages of the host have caches of their own

async function saveFiles() {
  const cache = await caches.open(PREFIX + VERSION);
  await cache.addAll(FILES.map((file) => new Request(file, { cache: "reload" })));
}

async function removeOldFiles() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith(PREFIX) && name !== PREFIX + VERSION).map((name) => caches.delete(name)));
  await clients.claim();
}

async function respond(request) {
  const cache = await caches.open(PREFIX + VERSION);
  return (await cache.match(request, { ignoreSearch: true })) ?? fetch(request);
}

oninstall = (event) => event.waitUntil(saveFiles());
onactivate = (event) => event.waitUntil(removeOldFiles());
onfetch = (event) => event.request.method === "GET" && event.respondWith(respond(event.request));
