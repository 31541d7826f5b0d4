/** What to do where lists or tokens were made under another key than the edge's: the same words wherever it is met. */
export const OTHER_KEY_STEPS = `If ROLLCALL_MASTER_KEY was replaced by mistake, put the old key back (\`npx wrangler secret put
  ROLLCALL_MASTER_KEY\`): everything is as before then. If the old key is lost, 1. publish each list again with
  \`rollcall publish --force\` (names cannot be compared across keys, so look at the lists first), 2. make new tokens with
  \`rollcall token create\`, give them to the mail hosts, and revoke the old ones. Mail is deferred meanwhile`;
