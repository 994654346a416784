// Where is the keyboard after the pod that had the focus is gone?
//
// The browser gives the focus to the body when the focused element goes away, so that a person would start again at the top
// of the page. It stays at the pod's slot instead: on the pod that took the slot, or else on the nearest one.
import { useEffect, useRef, type RefObject } from "react";

import type { PodView } from "../../live/state";

/** Keeps the focus within `list`, whose elements with `data-slot` hold the pods. */
export function useSlotFocus(list: RefObject<HTMLElement | null>, pods: readonly PodView[]): void {
  const slot = useRef<number | null>(null);

  useEffect(() => {
    const track = ({ target }: FocusEvent) => {
      const holder = target instanceof Element && list.current?.contains(target) ? target.closest("[data-slot]") : null;
      slot.current = holder === null ? null : Number(holder.getAttribute("data-slot"));
    };
    // A click on nothing takes the focus away on purpose.
    const release = ({ target }: PointerEvent) => {
      if (target instanceof Element && !list.current?.contains(target)) slot.current = null;
    };
    document.addEventListener("focusin", track);
    document.addEventListener("pointerdown", release);
    return () => {
      document.removeEventListener("focusin", track);
      document.removeEventListener("pointerdown", release);
    };
  }, [list]);

  useEffect(() => {
    const from = slot.current;
    if (from === null || document.activeElement !== document.body) return;
    const near = [...(list.current?.querySelectorAll<HTMLElement>("[data-slot]:has(.pod-kill)") ?? [])].sort(
      (a, b) => Math.abs(Number(a.dataset.slot) - from) - Math.abs(Number(b.dataset.slot) - from),
    );
    near[0]?.querySelector<HTMLElement>(".pod-kill")?.focus();
  }, [list, pods]);
}
