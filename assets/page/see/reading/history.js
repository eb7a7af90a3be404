// The reader's past translations, kept in this browser alone: [{english, malay}], newest first.

import { keep, recall } from "./storage.js";

export const MOST_ENTRIES = 50;
// localStorage holds some five million characters for all of a site
export const MOST_CHARACTERS = 200_000;

const KEY = "malaygpt.history";

export function pastTranslations() {
  const entries = recall(KEY, []);
  const isEntry = (entry) => typeof entry?.english === "string" && typeof entry?.malay === "string";
  return Array.isArray(entries) ? entries.filter(isEntry) : [];
}

// An English text stands in the history once: the newest translation of it.
export function remember(english, malay) {
  const others = pastTranslations().filter((entry) => entry.english !== english);
  let entries = bounded([{ english, malay }, ...others]);
  while (!keep(KEY, entries) && entries.length) entries = entries.slice(0, -1);
}

export function forgetAll() {
  keep(KEY, []);
}

function bounded(entries) {
  let characters = 0;
  return entries.slice(0, MOST_ENTRIES).filter(({ english, malay }) => {
    characters += english.length + malay.length;
    return characters <= MOST_CHARACTERS;
  });
}
