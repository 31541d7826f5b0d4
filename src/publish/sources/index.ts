/** Where lists come from. kinds.ts has the table of all kinds. */
export { openFile } from "./file.ts";
export type { SourceHost } from "./kind.ts";
export {
  type DescribedKind,
  describeKinds,
  fileList,
  filesOfSources,
  knownSourceSettings,
  type NamedSource,
  openSources,
  SOURCE_SETTINGS,
  type SourceSettings,
} from "./kinds.ts";
export { type MemoryEntry, memorySource } from "./memory.ts";
export { tableSetting, textSetting, wholeNumber } from "./settings.ts";
export { partOf, placeOf, type Source, type SourceIdentity, type SourceSink } from "./source.ts";
