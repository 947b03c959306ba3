package providertest

const layoutPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Test service</title>
<style nonce="{{.Nonce}}">
:root { color-scheme: light dark; --ink: #1d2430; --soft: #566073; --paper: #f3f5f9; --card: #fff; --line: #c9d0dc; --go: #1f56c3; --go-ink: #fff; --bad: #a1160a }
@media (prefers-color-scheme: dark) {
	:root { --ink: #eceff5; --soft: #aab4c5; --paper: #12161e; --card: #1b212c; --line: #445066; --go: #9dbdff; --go-ink: #0d1626; --bad: #ff9d92 }
}
* { box-sizing: border-box }
body { margin: 0; padding: 1.5rem 1rem; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif }
main { max-width: 28rem; margin: 0 auto; padding: 1.5rem; background: var(--card); border: 1px solid var(--line); border-radius: .75rem }
h1 { margin: 0 0 .5rem; font-size: 1.4rem; line-height: 1.25 }
h2 { margin: 1.75rem 0 .5rem; font-size: 1rem }
p, ul { margin: .5rem 0 }
ul { padding-left: 1.25rem }
.note { color: var(--soft); font-size: .9rem }
.bad { color: var(--bad) }
b, button { overflow-wrap: anywhere }
label { display: block; margin: .75rem 0 .25rem }
label.check { display: flex; gap: .6rem; align-items: center; min-height: 2.75rem; margin: .25rem 0 }
input[type=text], input[type=email] { width: 100%; padding: .65rem .75rem; font: inherit; color: inherit; background: var(--card); border: 1px solid var(--soft); border-radius: .5rem }
input[type=checkbox] { width: 1.25rem; height: 1.25rem }
button { width: 100%; min-height: 2.75rem; margin: .3rem 0; padding: .55rem .9rem; font: inherit; text-align: left; color: inherit; background: var(--card); border: 1px solid var(--soft); border-radius: .5rem; cursor: pointer }
button span { display: block; color: var(--soft); font-size: .9rem }
button.go { color: var(--go-ink); background: var(--go); border-color: var(--go); text-align: center; font-weight: 600 }
button.no { text-align: center; margin-top: 1.25rem }
button:hover { border-color: var(--go) }
:focus-visible { outline: 3px solid var(--go); outline-offset: 2px }
</style>
</head>
<body>
<main>
{{template "main" .}}
</main>
</body>
</html>
`

const choosePage = `<h1>Who do you want to be?</h1>
<p><b>{{.App}}</b> at <b>{{.Host}}</b> wants to know:</p>
<ul>{{range .Scopes}}<li>{{.}}</li>{{end}}</ul>
<p class="note">This is a test service on this machine. Nobody here is real, and nothing that you type is kept.</p>
{{with .Complaint}}<p class="bad" role="alert">{{.}}</p>{{end}}
<form method="post" action="/choose">
<input type="hidden" name="ask" value="{{.ID}}">
<h2>Someone who is here already</h2>
{{range $i, $p := .People}}<button name="person" value="{{$i}}">{{$p.name}}<span>{{$p.email}}{{if not $p.email_verified}}, not verified{{end}}</span></button>
{{end}}</form>
<form method="post" action="/choose">
<input type="hidden" name="ask" value="{{.ID}}">
<h2>Someone else</h2>
<label for="name">Name</label>
<input type="text" id="name" name="name" maxlength="200" autocomplete="off" value="{{.Name}}">
<label for="email">Email address</label>
<input type="email" id="email" name="email" maxlength="320" autocomplete="off" value="{{.Email}}">
<label class="check"><input type="checkbox" name="verified" value="yes" checked> The service has verified this address</label>
<button class="go" name="typed" value="yes">Continue</button>
</form>
<form method="post" action="/choose">
<input type="hidden" name="ask" value="{{.ID}}">
<button class="no" name="cancel" value="yes">Cancel</button>
</form>
`

const stopPage = `<h1>This did not work</h1>
<p role="alert">{{.Why}}</p>
<p class="note">This is a test service on this machine. Your browser has not been sent on, because the service cannot tell where the app lives.</p>
`

const loggedOutPage = `<h1>You are logged out</h1>
<p class="note">This is a test service on this machine.</p>
`

// postPage holds each parameter on a line of its own, as the browser of
// Authorize reads it.
const postPage = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Back to the app</title></head>
<body>
<form id="back" method="post" action="{{.To}}">
{{range $name, $values := .Params}}{{range $values}}<input type="hidden" name="{{$name}}" value="{{.}}">
{{end}}{{end}}<noscript><button>Continue</button></noscript>
</form>
<script nonce="{{.Nonce}}">document.getElementById("back").submit()</script>
</body>
</html>
`
