// Where the tour goes, in order: `name` of its texts in tour.words.js; `view` and a selector within the view's root;
// `attention`, the kind of attention that is chosen in the Inside view for it.

export const STOPS = [
  { name: "tokens", view: "inside", selector: ".pieces" },
  { name: "embeddings", view: "inside", selector: ".stage .tokens.english" },
  { name: "encoder", view: "inside", selector: ".attention .map-holder", attention: "encoder" },
  { name: "heads", view: "inside", selector: ".attention .pickers" },
  { name: "mask", view: "inside", selector: ".attention .map-holder", attention: "decoder" },
  { name: "cross", view: "inside", selector: ".stage", attention: "cross" },
  { name: "next", view: "inside", selector: ".choices" },
  { name: "search", view: "search", selector: ".pair" },
  { name: "training", view: "learn", selector: ".head" },
  { name: "breaking", view: "breakit", selector: ".sides" },
  { name: "attribution", view: "inside", selector: ".why" },
  { name: "source", view: "inside", selector: ".figures" },
];

const PATIENCE = 5000; // milliseconds for a view to draw what a stop is about

// The element of a stop within the root of its view, once it is to be seen; the root itself where it does not come.
export function findStop(root, { selector }, patience = PATIENCE) {
  const look = () => [...root.querySelectorAll(selector)].find(isSeen);
  return new Promise((resolve) => {
    const finish = (found) => {
      observer.disconnect();
      clearTimeout(timer);
      resolve(found);
    };
    const observer = new MutationObserver(() => look() && finish(look()));
    const timer = setTimeout(() => finish(root), patience);
    observer.observe(root, { subtree: true, childList: true, attributes: true });
    if (look()) finish(look());
  });
}

function isSeen(element) {
  return element.getClientRects().length > 0 && element.offsetHeight > 0;
}
