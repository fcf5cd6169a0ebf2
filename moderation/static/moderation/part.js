// Asks for what is to be refreshed, and says on the spot what to do where there is none. It lies over the foot of the screen:
// nothing moves for it.
"use strict";
function warn(text, label, url) {
  const notice = document.getElementById("notice") || document.body.appendChild(Object.assign(document.createElement("p"), { id: "notice" }));
  notice.setAttribute("role", "alert");
  notice.replaceChildren(`${text} `, Object.assign(document.createElement("a"), { textContent: label, href: url }));
}

// The text of the page at ``url``; null, and a notice, where there is none.
async function part(url) {
  const back = location.pathname + location.search;
  try {
    const answer = await fetch(url, { credentials: "same-origin", redirect: "manual", signal: AbortSignal.timeout(5000) });
    if (answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 403) {
      warn("Your session has ended, what is shown is old.", "Sign in again", `/admin/login/?next=${encodeURIComponent(back)}`);
    } else if (answer.ok) {
      document.getElementById("notice")?.remove();
      return await answer.text();
    } else {
      warn(`No answer from the database (${answer.status}), what is shown is old. Bans stay in force.`, "What to do: /health/ready/", "/health/ready/");
    }
  } catch {
    warn("No answer from the service, what is shown is old. Bans stay in force.", "Try again", back);
  }
  return null;
}
