import { LabMeeting, type MeetingSetup } from './meeting.js';
import { Lab, type Wiring } from './net.js';

export interface Visit {
  lab: Lab;
  /** Starts the programs. */
  meet(setup?: MeetingSetup): Promise<LabMeeting>;
}

/** Builds a lab, and leaves nothing of it, nor of what ran in it. For tests that run side by side. */
export async function inLab(wiring: Wiring, visit: (visit: Visit) => Promise<void>): Promise<void> {
  const lab = new Lab(wiring);
  const meetings: LabMeeting[] = [];
  const meet = async (setup?: MeetingSetup) => {
    const meeting = new LabMeeting(lab, setup);
    meetings.push(meeting);
    await meeting.start();
    return meeting;
  };
  try {
    await visit({ lab, meet });
  } finally {
    for (const meeting of meetings) await meeting.stop();
    lab.demolish();
  }
}
