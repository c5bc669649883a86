// Follow a job by the events that the server sends; at its end the page is loaded once more.

const job = document.getElementById("job");
if (job && !["done", "failed", "cancelled"].includes(job.dataset.status)) {
  const events = new EventSource(job.dataset.events);
  events.addEventListener("job", (event) => {
    const facts = JSON.parse(event.data);
    document.getElementById("job-status").textContent = facts.status;
    document.getElementById("job-stage").textContent = facts.status === "running" ? facts.stage : "";
    document.getElementById("job-progress").value = facts.progress;
    if (["done", "failed", "cancelled"].includes(facts.status)) {
      events.close();
      location.reload();
    }
  });
}
