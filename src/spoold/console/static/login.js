import { api } from "./api.js";
import { field, h } from "./dom.js";

export function login(done) {
  const error = h("p", { class: "error", role: "alert" });
  const button = h("button", { class: "main", type: "submit" }, "Log in");
  const password = h("input", { name: "password", type: "password", autocomplete: "current-password" });
  return h(
    "form",
    {
      class: "panel login",
      onsubmit: async (event) => {
        event.preventDefault();
        button.disabled = true;
        error.textContent = "";
        const given = new FormData(event.target);
        try {
          await api.post("/session", { user: given.get("user") || "default", password: given.get("password") });
          done();
        } catch (problem) {
          error.textContent = problem.code === "wrong-password" ? "User or password is wrong." : problem.message;
          password.select();
        } finally {
          button.disabled = false;
        }
      },
    },
    h("div", { class: "brand" }, h("img", { src: "/icon.svg", alt: "", width: 30, height: 30 }), "spoold"),
    field("User", h("input", { name: "user", value: "default", autocomplete: "username", spellcheck: "false" })),
    field("Password", password),
    error,
    button,
  );
}
