import type { ExitCode } from '../../protocol/errors.js';
import { Doctor } from '../doctor/doctor.js';
import { DoctorJson } from '../ui/doctor-json.js';
import { DoctorPrinter } from '../ui/doctor-printer.js';
import { standardStreams } from '../ui/output.js';
import type { DoctorOptions } from './doctor-options.js';
import { watchSignals } from './session-ends.js';

/** Examines until all is told, or the person leaves. */
export async function doctor({ patient, json, colour, invitation }: DoctorOptions): Promise<ExitCode> {
  const { output, errorOutput } = standardStreams();
  const face = json
    ? new DoctorJson(invitation?.command ?? '')
    : new DoctorPrinter({ output, errorOutput, colour, invitation });
  const leaving = new AbortController();
  const signals = watchSignals();
  const examination = new Doctor(patient, face, leaving.signal).examine();
  try {
    const exitCode = await Promise.race([examination, signals.ended]);
    return exitCode;
  } finally {
    leaving.abort(new Error('the person has left'));
    await examination.catch(() => {});
    face.stop();
    signals.stop();
  }
}
