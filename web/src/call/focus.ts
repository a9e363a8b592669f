// The focus of whoever uses the keyboard or a screen reader, when what they have pressed goes away with what it did.

/** What of a page keeps the focus: the heading of the nearest part that is still there, or the part if it has a name. */
function rest(part: Element): HTMLElement | null {
  const heading = part.querySelector<HTMLElement>("h1, h2, h3");
  if (heading) return heading;
  return part instanceof HTMLElement && part.matches("section[aria-label], [role=group][aria-label]") ? part : null;
}

/** Looks after everything inside a root from now on. */
export function keep(root: HTMLElement): void {
  let held: Element[] = [];
  root.addEventListener("focusin", (event) => {
    held = [];
    for (let part = event.target as Element | null; part && part !== root; part = part.parentElement) held.push(part);
    held.push(root);
  });
  root.addEventListener("focusout", (event) => {
    const from = event.target as Element;
    // Elsewhere, as the person wants; some browsers say this of what is removed, too.
    if (!event.relatedTarget) setTimeout(() => from.isConnected && held[0] === from && document.activeElement !== from && (held = []));
  });
  new MutationObserver(() => {
    const [had, ...around] = held;
    if (!had || had.isConnected || (document.activeElement && document.activeElement !== document.body)) return;
    held = [];
    for (const part of around) {
      const target = part.isConnected ? rest(part) : null;
      if (!target) continue;
      if (!target.hasAttribute("tabindex")) target.tabIndex = -1;
      target.focus({ preventScroll: true });
      return;
    }
  }).observe(root, { childList: true, subtree: true });
}
