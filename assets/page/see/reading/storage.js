// What the browser keeps between visits, as JSON in localStorage. Where nothing can be kept (private windows, a full
// disk) nothing goes wrong: it is as if this were the first visit.

// `fallback` when there is nothing, or something that is no JSON
export function recall(key, fallback) {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? fallback;
  } catch {
    return fallback;
  }
}

// Whether it was kept
export function keep(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}
