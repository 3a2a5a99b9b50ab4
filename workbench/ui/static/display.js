// The switches of theme and size of type, kept in this browser for all pages. See parts/theme.py.
const KEPT = "workbench-display", LARGE = "20px"  // root font size; the theme's own is 14 px

function kept() {
  try { return JSON.parse(localStorage.getItem(KEPT)) || {} } catch (e) { return {} }
}

function keep(change) {
  const now = { theme: "System", large: false, ...kept(), ...change }
  try { localStorage.setItem(KEPT, JSON.stringify(now)) } catch (e) { /* a browser that keeps nothing */ }
  return now
}

// Streamlit has no call that sets the theme. Its own menu uses this property of a React element above every page.
function streamlitThemes() {
  const app = document.querySelector("[data-testid=stApp]")
  let fiber = app && app[Object.keys(app).find((name) => name.startsWith("__reactFiber$"))]
  for (; fiber; fiber = fiber.return) {
    const has = fiber.memoizedProps
    if (has && has.setTheme && has.availableThemes && has.activeTheme) return has
  }
  return null
}

const ENDS = { System: / Auto$|^Use system/, Light: / Light$|^Light$/, Dark: / Dark$|^Dark$/ }

function useTheme(theme, paths) {
  // Streamlit keeps the theme for each address apart; written for all, a reload of another page begins with it
  for (const path of paths) {
    try { localStorage.setItem(`stActiveTheme-${path}-v2`, JSON.stringify(theme)) } catch (e) { return }
  }
  const themes = streamlitThemes()
  if (!themes) return location.reload()
  const found = themes.availableThemes.find((one) => ENDS[theme].test(one.name))
  if (found && found.name !== themes.activeTheme.name) themes.setTheme(found)
}

function useSize(large) {
  const style = document.documentElement.style
  if (large) style.setProperty("font-size", LARGE, "important")
  else style.removeProperty("font-size")
  window.dispatchEvent(new Event("resize"))  // figures measure themselves again
}

const controls = new WeakMap()

function build(root) {
  const button = root.querySelector("button"), panel = root.querySelector(".panel")
  const c = { data: null, tell: null }
  const open = (is) => { panel.hidden = !is; button.setAttribute("aria-expanded", String(is)) }
  const show = () => {
    const { theme = "System", large = false } = kept()
    root.querySelector(`input[value=${theme}]`).checked = true
    root.querySelector(`input[value=${large ? "large" : "normal"}]`).checked = true
  }
  button.addEventListener("click", () => {
    show()
    open(panel.hidden)
    if (!panel.hidden) panel.querySelector("input:checked").focus()
  })
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !panel.hidden) { open(false); button.focus() }
    event.stopPropagation()  // the arrows choose here; they do not play
  })
  root.querySelector(".display").addEventListener("focusout", (event) => {
    if (event.relatedTarget && !root.querySelector(".display").contains(event.relatedTarget)) open(false)
  })
  c.away = (event) => { if (!event.composedPath().includes(panel) && !event.composedPath().includes(button)) open(false) }
  document.addEventListener("pointerdown", c.away)
  panel.addEventListener("change", (event) => {
    const { name, value } = event.target
    if (name === "theme") useTheme(keep({ theme: value }).theme, c.data.paths)
    else { useSize(keep({ large: value === "large" }).large); c.tell() }
  })
  return c
}

export default function ({ parentElement, data, setStateValue }) {
  let c = controls.get(parentElement)
  if (!c) controls.set(parentElement, (c = build(parentElement)))
  c.data = data
  c.tell = () => { const { large = false } = kept(); if (large !== c.data.large) setStateValue("large", large) }
  const { theme = "System", large = false } = kept()
  const themes = streamlitThemes()
  if (themes && !ENDS[theme].test(themes.activeTheme.name)) useTheme(theme, data.paths)
  if (large !== (document.documentElement.style.fontSize === LARGE)) useSize(large)
  c.tell()
  tendPage()
  return () => {
    document.removeEventListener("pointerdown", c.away)
    controls.delete(parentElement)
  }
}
