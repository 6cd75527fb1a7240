import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// `make serve`, for `npm run dev`.
const service = "http://127.0.0.1:3000";
const routes = ["predict", "inspect", "explain", "feedback", "info", "tasks", "models"];

export default defineConfig({
  // Relative, so that the page also works below a path of a reverse proxy.
  base: "./",
  plugins: [react(), tailwindcss()],
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  server: { proxy: Object.fromEntries(routes.map((route) => [`/${route}`, service])) },
});
