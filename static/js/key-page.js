/**
 * A browser keeps our cookie to itself when a link on another site led here (SameSite=Strict). Asked by our own page it
 * sends it: then the page that was wanted is shown without asking for the key again.
 */
const form = document.querySelector('.key-form');
const answer = await (await fetch('/key', {headers: {Accept: 'application/json'}})).json();
if (answer.known) location.replace(form.action);
