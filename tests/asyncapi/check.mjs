// Read an AsyncAPI document with the parser of AsyncAPI itself. Exit code 1 where it has anything to say against it.
//
//     node check.mjs FILE...
//
// It also has to refuse what is wrong: a parser that takes everything would make this a check that cannot fail.

import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

// 3.0.0 is kept on purpose: readers of 3.1.0 take it, and readers of 3.0.0 refuse 3.1.0, which has nothing for Kafka.
const EXPLAINED = new Set(["asyncapi-latest-version"]);

async function complaints(text) {
  const { document, diagnostics } = await new Parser().parse(text);
  const said = diagnostics
    .filter((each) => !EXPLAINED.has(each.code))
    .map((each) => `${each.path.join("/")}: ${each.message} (${each.code})`);
  return document || said.length ? said : ["the parser made no document of it"];
}

function broken(text) {
  const kinds = {
    "an operation on a channel that is not there": (it) => {
      Object.values(it.operations)[0].channel.$ref = "#/channels/nowhere";
    },
    "a binding with a word that Kafka's has not": (it) => {
      Object.values(it.channels)[0].bindings.kafka.partition = 1;
    },
    "a value whose type there is not": (it) => {
      it.components.schemas.ProofRequest.properties.custom_id.type = "text";
    },
  };
  return Object.entries(kinds).map(([name, spoil]) => {
    const document = JSON.parse(text);
    spoil(document);
    return [name, JSON.stringify(document)];
  });
}

let failed = false;
for (const file of process.argv.slice(2)) {
  const text = readFileSync(file, "utf8");
  const said = await complaints(text);
  for (const line of said) console.error(`${file}: ${line}`);
  failed ||= said.length > 0;
  for (const [name, spoilt] of broken(text)) {
    if ((await complaints(spoilt)).length > 0) continue;
    console.error(`${file}: the parser takes ${name}: this check says nothing`);
    failed = true;
  }
  if (!failed) console.log(`${file}: accepted by @asyncapi/parser`);
}
process.exit(failed ? 1 : 0);
