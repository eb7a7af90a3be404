// What the page does without asking the server: counting, keys, the clipboard, saying whether a translation is running.
// malaygpt/ui/server.py calls malaygptPage once and keeps the result as window.malaygpt, for the events of ui/page.py.
// Text that a visitor typed goes into the page through textContent only.
function malaygptPage({ limit, words }) {
  const root = document.documentElement;
  const element = (id) => document.getElementById(id);
  const say = (text) => { element("status").textContent = text; };
  const isBusy = () => root.hasAttribute("data-busy");
  const isIdle = () => !isBusy() && performance.now() > settledAt;
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
    return text;
  }

  function end(notice) {
    if (outcome !== null) settledAt = performance.now() + 200;
    if (!isBusy()) return;
    isStopping = false;
    setBusy(false);
    say(outcome ?? (notice ? "" : words.done));
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
    return ["", "", ""];
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
    const fill = (template, values) => template.replace(/\{(\w+)\}/g, (_, name) => values[name].toLocaleString("en"));
    element("counter").textContent = fill(words.counter, { count: characters, limit });
    element("excess").textContent = excess ? fill(words.over, { excess }) : "";
    element("source").classList.toggle("over", excess > 0);
  }

  async function copy(text) {
    if (!text) return;
    try {
      await navigator.clipboard.writeText(text);
      say(words.copied);
    } catch {
      say(words.copy_failed);
    }
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

  // Not Gradio's interactive=False: that disables the box, and then no keyboard can select the Malay.
  element("target").querySelector("textarea").readOnly = true;
  count("");
  setBusy(false);
  element("translate").title = words.shortcuts;
  element("notice").setAttribute("role", "status");
  return { begin, end, fail, stop, clear, submit, count, copy };
}
