// What the page does without asking the server: counting, keys, files, the language, saying whether a translation runs.
// malaygpt/ui/server.py calls malaygptPage once and keeps the result as window.malaygpt, for the events of ui/page.py and
// for see/shell.js, which hears of "malaygpt:ready", "malaygpt:language" and "malaygpt:end" at the document.
// Text that a visitor typed goes into the page through textContent and the value of a text box only.
function malaygptPage({ limit, words: languages }) {
  const LANGUAGE = "malaygpt.language"; // where the browser remembers it
  const root = document.documentElement;
  const element = (id) => document.getElementById(id);
  const say = (text) => { element("status").textContent = text; };
  const tell = (event) => document.dispatchEvent(new Event(`malaygpt:${event}`));
  const fill = (template, values) =>
    template.replace(/\{(\w+)\}/g, (_, name) => values[name].toLocaleString(words.code));
  const isBusy = () => root.hasAttribute("data-busy");
  const isIdle = () => !isBusy() && performance.now() > settledAt;
  let words = languages.en; // those that the server's components begin with
  let options = {}; // of the search, where the visitor wants others than usual; until Clear
  let used = {}; // those of the present translation
  let isStopping = false; // a cancel has been asked for and has not worked yet
  let isSubmitting = false; // Translate will be pressed as soon as it can be
  let settledAt = 0; // Gradio reports the end of a cancelled translation more than once, some milliseconds apart
  let outcome = null; // what the status says instead of "done", once Stop or Clear was pressed

  function setBusy(busy) {
    root.toggleAttribute("data-busy", busy);
    element("stop").disabled = !busy;
  }

  function begin(text) {
    outcome = null;
    setBusy(true);
    say(words.translating);
    used = options;
    return [text, options];
  }

  function end(notice) {
    if (outcome !== null) settledAt = performance.now() + 200;
    if (!isBusy()) return;
    isStopping = false;
    setBusy(false);
    say(outcome ?? (notice ? "" : words.done));
    tell("end");
  }

  // The server could not be reached, or was too busy to take the text.
  function fail() {
    outcome ??= "";
    end();
  }

  function stop(status) {
    outcome = status ?? words.stopped;
  }

  // Until a cancelled translation has ended: it may still bring some Malay for a moment, and Gradio drops a press of
  // Translate meanwhile.
  async function idle() {
    const pause = (milliseconds) => new Promise((resume) => setTimeout(resume, milliseconds));
    for (let i = 0; !isIdle() && i < 100; i++) await pause(30);
  }

  async function clear() {
    element("source").querySelector("textarea").focus();
    await idle();
    say("");
    options = {};
    return ["", null, ""];
  }

  async function submit() {
    if (isSubmitting) return;
    isSubmitting = true;
    await idle();
    isSubmitting = false;
    element("translate").click();
  }

  function count(text) {
    // Code points, as Python counts them; "length" would count an emoji twice.
    const characters = [...(text ?? "")].length;
    const excess = Math.max(0, characters - limit);
    element("counter").textContent = fill(words.counter, { count: characters, limit });
    element("excess").textContent = excess ? fill(words.over, { excess }) : "";
    element("source").classList.toggle("over", excess > 0);
  }

  // Puts a text in the English box, as if it had been typed.
  function write(text) {
    const box = element("source").querySelector("textarea");
    box.value = text;
    box.dispatchEvent(new Event("input", { bubbles: true }));
  }

  // Translates a text, with other options than usual if there are any.
  async function translate(text, others = {}) {
    options = others;
    write(text);
    await new Promise((resume) => setTimeout(resume, 50)); // until Gradio has taken it
    element("translate").click();
  }

  async function openFile(file) {
    if (!file) return;
    try {
      const bytes = await file.slice(0, 8 * limit).arrayBuffer(); // no more than would be refused anyway
      const isWhole = file.size <= bytes.byteLength;
      write(new TextDecoder("utf-8", { fatal: isWhole }).decode(bytes));
    } catch {
      say(words.not_text);
    }
  }

  // What Gradio drew is changed by what this returns, in the order of ui/page.py; the rest is ours.
  function switchLanguage() {
    words = words === languages.en ? languages.ms : languages.en;
    try {
      localStorage.setItem(LANGUAGE, words.code);
    } catch {
      // a browser that keeps nothing speaks English again the next time
    }
    speak();
    tell("language");
    const update = (values) => ({ __type__: "update", ...values });
    return [
      update({ value: words.other_language }),
      update({ label: words.english, placeholder: words.source_hint }),
      ...[words.clear, words.stop, words.translate].map((value) => update({ value })),
    ];
  }

  function speak() {
    root.lang = words.code;
    document.title = words.title;
    element("tagline").textContent = words.tagline;
    element("malay-title").textContent = words.malay;
    element("examples-title").querySelector("h2").textContent = words.examples;
    const footer = element("colophon").querySelector("footer");
    footer.textContent = fill(words.about, footer.dataset);
    element("translate").title = words.shortcuts;
    for (const name of ["aria-label", "title"]) element("open").setAttribute(name, words.open);
    element("language").lang = words.code === "en" ? "ms" : "en";
    count(element("source").querySelector("textarea").value);
    say(isBusy() ? words.translating : "");
  }

  // The language of a link, or else what the visitor chose the last time
  function startLanguage() {
    let remembered = null;
    try {
      remembered = localStorage.getItem(LANGUAGE);
    } catch {
      // as above
    }
    const wanted = new URL(location.href).searchParams.get("lang") ?? remembered;
    if (wanted === "ms") element("language").click();
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      element("translate").click();
    } else if (event.key === "Escape" && isBusy()) {
      element("stop").click();
    }
  }, true);

  // While a translation runs, Translate means: this text instead. Every other button here cancels it, which the server
  // takes amiss when it is asked twice; so a second press is held back until the first has worked.
  document.addEventListener("click", (event) => {
    const pressed = event.target.closest("#translate, #stop, #clear, .example");
    if (!pressed || isIdle()) return;
    if (pressed.id === "translate") {
      event.stopImmediatePropagation();
      if (event.detail > 1) return; // a double click
      element("stop").click();
      submit();
    } else if (isStopping) {
      event.stopImmediatePropagation();
    } else {
      isStopping = isBusy();
    }
  }, true);

  element("open").addEventListener("click", () => element("file").click());
  element("file").addEventListener("change", ({ target }) => {
    openFile(target.files[0]);
    target.value = ""; // so that the same file can be opened again
  });
  const holdsFile = (event) => event.dataTransfer?.types.includes("Files") && event.target.closest("#english");
  document.addEventListener("dragover", (event) => holdsFile(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!holdsFile(event)) return;
    event.preventDefault();
    openFile(event.dataTransfer.files[0]);
  });

  setBusy(false);
  speak();
  element("notice").setAttribute("role", "status");
  setTimeout(() => { // once window.malaygpt is there
    startLanguage();
    tell("ready");
  });
  return {
    begin, end, fail, stop, clear, submit, count, translate, switchLanguage,
    language: () => words.code,
    options: () => used,
  };
}
