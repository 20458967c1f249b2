// In place of ajv and ajv-formats, with which the SDK checks what a person answers to a server: ours asks nothing.

/** Made with `new` as ajv is, and called as ajv-formats is; neither is used after that. */
export default function noSchemas(): void {
  // Nothing to prepare.
}
