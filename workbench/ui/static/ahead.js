// Load a part of the page that the next click will need, once, while nothing happens: the browser keeps it as a module.

const QUIET_MS = 1500

export default function ({ data }) {
  if (window.wbAhead || navigator.connection?.saveData) return
  window.wbAhead = true
  let last = performance.now()
  const events = ["keydown", "pointerdown", "wheel"]
  const touched = () => { last = performance.now() }
  events.forEach((name) => addEventListener(name, touched, { capture: true, passive: true }))
  const idle = window.requestIdleCallback || ((callback) => setTimeout(callback, 0))
  const look = () => {
    const left = last + QUIET_MS - performance.now()
    if (left > 0) return void setTimeout(look, left)
    events.forEach((name) => removeEventListener(name, touched, { capture: true }))
    idle(() => import(new URL(data.module, location.href).href).catch(() => {}))
  }
  setTimeout(look, QUIET_MS)
}
