const DSN = require("haraka-dsn");
const constants = require("haraka-constants");

/** For each class of reply, what Haraka calls it. */
const RESULTS = { 2: constants.ok, 4: constants.denysoft, 5: constants.deny };

/**
 * Reads an SMTP reply line: code, enhanced code of the same class, and a text. A code alone is no verdict.
 *
 * @param {string} line without its end
 * @returns {{ result: number, dsn: object } | null} what to give to `next`; null if it is no such line
 */
exports.read = (line) => {
  const [, code, enhanced, subject, detail, text] =
    /^(250|[45]\d\d) ([245])\.(\d{1,3})\.(\d{1,3}) +([\x21-\x7e][\x20-\x7e]{0,499})$/.exec(line) ?? [];
  if (code === undefined || code[0] !== enhanced) return null;
  return {
    result: RESULTS[enhanced],
    dsn: DSN.create(Number(code), text, Number(subject), Number(detail)),
  };
};

/** The answer to every fault: the sender tries again. */
exports.later = () => ({
  result: constants.denysoft,
  dsn: DSN.create(451, "recipient cannot be checked now, try again later", 3, 0),
});
