// One request at a time, and the newest of those that are waiting next: what was asked for before it is never shown,
// and whoever walks through many choices does not make the server work through them all.

// send(request) -> Promise; onanswer(found, request), onfailure(error, request): for the newest request only
export function newestOf(send, { onanswer, onfailure }) {
  let wanted = null;
  let isBusy = false;

  async function work() {
    isBusy = true;
    while (wanted !== null) {
      const request = wanted;
      const outcome = await send(request).then((found) => ({ found }), (error) => ({ error }));
      if (request !== wanted) continue;
      wanted = null;
      if ("error" in outcome) onfailure(outcome.error, request);
      else onanswer(outcome.found, request);
    }
    isBusy = false;
  }

  return {
    ask(request) {
      wanted = request;
      if (!isBusy) work();
    },
    forget() {
      wanted = null;
    },
  };
}
