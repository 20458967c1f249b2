// Which files are tests that pytest runs: run by themselves, they compute nothing.
import { basename } from 'node:path';

const NAMED = /^(test_.*|.*_test)\.py$/;
const TESTS = /^(?: {4}|\t)?(?:async )?def test_?\w*\(/m;
/** It runs its tests by itself. */
const RUNS_ITSELF = /^if\s+__name__\s*==/m;

/** By its name, as pytest looks for files, and by what is in it. */
export const isPytestFile = (file: string, source: string): boolean =>
  NAMED.test(basename(file)) && TESTS.test(source) && !RUNS_ITSELF.test(source);
