// What the tests in the extension host write, one JSON line each, and what vitest reads.
export interface HostTestResult {
  /** Suite and test, as mocha's full title. */
  readonly title: string;
  /** 'end' is the last line of a run that was not cut short. */
  readonly state: 'passed' | 'failed' | 'skipped' | 'end';
  readonly error?: string;
  /** In ms. */
  readonly duration?: number;
}
