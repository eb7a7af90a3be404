// Style sheets of views, fetched when they are first wanted.

const added = new Map();

// Resolved when the style of this name, beside the views, is there, or could not be had.
export function addStyle(name) {
  if (!added.has(name)) {
    const link = document.createElement("link");
    const loaded = new Promise((resolve) => Object.assign(link, { onload: resolve, onerror: resolve }));
    Object.assign(link, { rel: "stylesheet", href: new URL(`../${name}.css`, import.meta.url).href });
    document.head.append(link);
    added.set(name, loaded);
  }
  return added.get(name);
}
