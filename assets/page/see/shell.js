// Joins the views to the page: what Gradio brings goes to them, and what they ask goes to the server.
//
// malaygpt/ui/view.py calls mount() for each of the page's two places: "target", where the Malay is read, and "views",
// where the others open one at a time. Everything here is of one visitor, in one browser.

import { choosing } from "./shell/choosing.js";
import { addStyle } from "./shell/style.js";
import { Views } from "./shell/views.js";
import { ENGLISH, MALAY } from "./shell.words.js";
import * as reading from "./reading.js";
import { readLink } from "./reading/link.js";

const wordsOf = (module) => (window.malaygpt.language() === "ms" ? module.MALAY : module.ENGLISH);
const ready = new Promise((resolve) => {
  if (window.malaygpt) resolve();
  else document.addEventListener("malaygpt:ready", resolve, { once: true });
});

let server = null;
let explanation = null;
let options = {}; // that it was made with
let shown = { text: "", done: true }; // what the reading view shows
let pane = null; // the reading view
let views = null;
const answers = new WeakMap(); // sentence -> {kind: Promise}, of what stays true of a sentence
const choose = choosing((payload) => askServer("choose", payload));

export async function mount(name, { element, props, watch, server: given }) {
  // In this order: later sheets may change what stands in earlier ones.
  await Promise.all([ready, ...["controls", "reading", "shell"].map(addStyle)]);
  const root = document.createElement("div");
  element.append(root);
  if (name === "target") mountTarget(root, props, watch);
  else mountViews(root, props, given);
  if (pane && views) begin();
}

function mountTarget(root, props, watch) {
  const draw = () => {
    pane?.destroy();
    pane = reading.mountReading(root, context(reading));
    if (shown.text) pane.show(shown);
  };
  draw();
  watch("value", () => receive(props.value));
  root.addEventListener("explained", ({ detail }) => adopt(detail));
  root.addEventListener("translate", ({ detail }) => window.malaygpt.translate(detail.text));
  document.addEventListener("malaygpt:language", draw);
  document.addEventListener("malaygpt:end", () => {
    if (shown.done) {
      settle(explanation); // whoever waits for a translation that failed waits no longer
      return;
    }
    show({ text: shown.text, done: true }); // it was stopped
    adopt(null);
  });
}

function mountViews(root, props, given) {
  server = given;
  const host = {
    context,
    wordsOf,
    about: () => ({ explanation, model: props.figures, options }),
    translate,
  };
  views = new Views(root, { words: () => wordsOf({ ENGLISH, MALAY }), host });
  document.addEventListener("malaygpt:language", () => views.draw());
  root.addEventListener("options", ({ detail }) => explanation && window.malaygpt.translate(explanation.english, detail));
}

// What the address asks for, once both places are there
function begin() {
  const link = readLink(location.href);
  if (link.text) window.malaygpt.translate(link.text, link.options);
  views.openAddressed();
}

function context(module) {
  const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)").matches;
  return { words: wordsOf(module), ask, reducedMotion };
}

// From Gradio

function receive(value) {
  if (!value) {
    show({ text: "", done: true });
    adopt(null);
    return;
  }
  const { text, done, tokens, explanation: found } = value;
  if (!done) {
    show({ text, done, tokens });
    return;
  }
  options = window.malaygpt.options();
  show({ text, done, explanation: found, options });
  adopt(found);
}

function show(next) {
  shown = next;
  pane.show(next);
}

// The explanation that all views are of
function adopt(next) {
  if (next) shown = { ...shown, text: next.malay, explanation: next };
  explanation = next;
  views?.refresh();
  settle(next);
}

// Translates a text; resolved when its explanation is here, or null where it was stopped. Asked again meanwhile, it is the
// same translation.
let awaited = null; // {promise, resolve}

function translate(text) {
  if (!awaited) {
    awaited = {};
    awaited.promise = new Promise((resolve) => Object.assign(awaited, { resolve }));
    window.malaygpt.translate(text);
  }
  return awaited.promise;
}

function settle(found) {
  awaited?.resolve(found);
  awaited = null;
}

// To the server

// What a view asks of its own translation, or of the server; rejects with an Error whose message can be shown.
export async function ask(kind, payload) {
  if (kind === "choose") return choose(explanation, options, payload);
  if (kind !== "attention" && kind !== "attribution") return askServer(kind, payload);
  const sentence = explanation.sentences[payload.sentence];
  if (!answers.has(sentence)) answers.set(sentence, {});
  const known = answers.get(sentence);
  const ids = { source: sentence.source.map(({ id }) => id), tokens: sentence.tokens.map(({ id }) => id) };
  known[kind] ??= askServer(kind, ids);
  known[kind].catch(() => delete known[kind]); // so that it can be asked again
  return known[kind];
}

async function askServer(kind, payload) {
  let reply = null;
  try {
    reply = await server.see({ kind, payload });
  } catch {
    throw new Error(wordsOf({ ENGLISH, MALAY }).unreachable);
  }
  if (reply.error) throw new Error(reply.error);
  return reply.answer;
}
