// Sets a password with the token of a mail. The token stands behind the # of the link, which no
// browser sends to any server, and is taken out of the address at once.
const token = location.hash.slice(1);
history.replaceState(null, "", location.pathname);
const form = document.getElementById("form");
const answer = document.getElementById("answer");

if (!token) {
  form.hidden = true;
  answer.textContent = "This link is not complete: open it from the mail, or ask for a new one.";
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const password = document.getElementById("password").value;
  if (password !== document.getElementById("again").value) {
    answer.textContent = "The two are not the same.";
    return;
  }
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const reply = await fetch(form.dataset.endpoint, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token, password }),
    });
    if (reply.ok) {
      form.hidden = true;
      answer.textContent = "Your password is set. You can log in with it now.";
      return;
    }
    const issue = ((await reply.json()).errors ?? [])[0];
    answer.textContent = issue?.pointer === "/token"
      ? "This link is used up or too old: ask for a new one."
      : `The password ${issue?.detail ?? "could not be set: try again in a moment"}.`;
  } catch {
    answer.textContent = "The server does not answer: try again in a moment.";
  }
  button.disabled = false;
});
