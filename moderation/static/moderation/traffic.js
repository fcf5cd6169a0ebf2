// Refreshes the traffic console; without it the page is as good as its last reload. Nothing moves under a finger.
"use strict";
const now = document.getElementById("now");
const EVERY_MS = 1500;
let held = false;
for (const name of ["pointerdown", "touchstart"]) now.addEventListener(name, () => { held = true; }, { passive: true });
for (const name of ["pointerup", "pointercancel", "touchend", "touchcancel"]) {
  window.addEventListener(name, () => { setTimeout(() => { held = false; }, 1000); }, { passive: true });
}

function show(html) {
  const open = new Map([...now.querySelectorAll("details")].map((each) => [each.dataset.kind, each.open]));
  now.innerHTML = html;
  for (const each of now.querySelectorAll("details")) each.open = open.get(each.dataset.kind);
}

async function refresh() {
  if (!held && !document.hidden) {
    const html = await part(now.dataset.url);
    if (html !== null && !held) show(html);
  }
  setTimeout(refresh, EVERY_MS);
}

setTimeout(refresh, EVERY_MS);
