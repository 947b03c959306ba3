// Package browser has no code. Its tests drive the bundled example, and an app of
// their own for settings that the example does not have, with a real browser:
// headless Chromium, found on the PATH as "chromium"
// (apt-get install chromium). It is a module of its own, so that programs that
// import the library do not carry the driver.
package browser
