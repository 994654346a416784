// Which colours has the person chosen? Set before the page is drawn, so that no other colours flash.
//
// A file of its own: the content policy forbids scripts in the HTML. features/theme writes what is read here.
try {
  const theme = localStorage.getItem("kana.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // A browser may forbid storage; the page then looks as the system does.
}
