// What every page gets: focus on the error summary, no double submission, the session's end noticed.
const summary = document.querySelector<HTMLElement>(".nhsuk-error-summary");
if (summary) {
  summary.tabIndex = -1;
  summary.focus();
  summary.addEventListener("click", (event) => {
    const link = event.target instanceof HTMLAnchorElement ? event.target : null;
    const field = link?.hash ? document.getElementById(link.hash.slice(1)) : null;
    if (!field) return;
    event.preventDefault();
    field.scrollIntoView({ block: "center" });
    field.focus({ preventScroll: true });
  });
}

let submitted: { form: HTMLFormElement; at: number } | null = null;
document.addEventListener("submit", (event) => {
  const form = event.target as HTMLFormElement;
  if (form.method !== "post") return;
  if (submitted?.form === form && performance.now() - submitted.at < 1_000) event.preventDefault();
  else submitted = { form, at: performance.now() };
});

export {};
